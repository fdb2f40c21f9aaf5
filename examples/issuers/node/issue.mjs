// Signs a Paragon User Token with jose.

import { SignJWT, importPKCS8 } from "jose";

const key = await importPKCS8(process.env.PARAGON_SIGNING_KEY, "RS256");

const token = await new SignJWT({
  // An object. Do not give JSON.stringify of it: then the claim is a string, and refused.
  "urn:useparagon:connect:permissions": {
    "integration:*": ["metadata:read"],
    "integration:slack": {
      "credential:*": false,
      "credential:3fa85f64-5717-4562-b3fc-2c963f66afa6": ["proxy-api", "workflows"],
    },
    "configuration:ext:Team A": ["settings:write"],
  },
})
  .setProtectedHeader({ alg: "RS256", typ: "JWT" })
  .setSubject("user-4711")
  .setAudience(`useparagon.com/${process.env.PARAGON_PROJECT_ID}`)
  .setIssuedAt()
  .setExpirationTime("15m")
  .sign(key);

console.log(token);
