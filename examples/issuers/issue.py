"""Signs a Paragon User Token with PyJWT (and its cryptography extra)."""

import os
import time

import jwt

now = int(time.time())  # without int, iat and exp have fractions

token = jwt.encode(
    {
        "sub": "user-4711",
        "aud": "useparagon.com/" + os.environ["PARAGON_PROJECT_ID"],
        "iat": now,
        "exp": now + 15 * 60,
        # A dict. Do not give json.dumps of it: then the claim is a string, and refused.
        "urn:useparagon:connect:permissions": {
            "integration:*": ["metadata:read"],
            "integration:slack": {
                "credential:*": False,
                "credential:3fa85f64-5717-4562-b3fc-2c963f66afa6": ["proxy-api", "workflows"],
            },
            "configuration:ext:Team A": ["settings:write"],
        },
    },
    os.environ["PARAGON_SIGNING_KEY"],
    algorithm="RS256",
)

print(token)
