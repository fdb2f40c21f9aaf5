// Signs a Paragon User Token with Microsoft.IdentityModel.JsonWebTokens 8.
//
// The tests of this repository do not run this program.

using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

using var rsa = RSA.Create();
rsa.ImportFromPem(Environment.GetEnvironmentVariable("PARAGON_SIGNING_KEY"));

var permissions = new Dictionary<string, object>
{
    ["integration:*"] = new[] { "metadata:read" },
    ["integration:slack"] = new Dictionary<string, object>
    {
        ["credential:*"] = false,
        ["credential:3fa85f64-5717-4562-b3fc-2c963f66afa6"] = new[] { "proxy-api", "workflows" },
    },
    ["configuration:ext:Team A"] = new[] { "settings:write" },
};

var now = DateTime.UtcNow;
var token = new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
{
    Audience = "useparagon.com/" + Environment.GetEnvironmentVariable("PARAGON_PROJECT_ID"),
    IssuedAt = now,
    NotBefore = now,
    Expires = now.AddMinutes(15),
    SigningCredentials = new SigningCredentials(new RsaSecurityKey(rsa), SecurityAlgorithms.RsaSha256),
    Claims = new Dictionary<string, object>
    {
        ["sub"] = "user-4711",

        // A JsonElement is written as the object that it is. The usual way,
        //
        //     new Claim("urn:useparagon:connect:permissions", JsonSerializer.Serialize(permissions))
        //
        // makes the claim a string that holds JSON, and such a claim is refused (SPEC 6.3). Where a
        // ClaimsIdentity is needed, its third argument makes the difference: JsonClaimValueTypes.Json.
        ["urn:useparagon:connect:permissions"] = JsonSerializer.SerializeToElement(permissions),
    },
});

Console.WriteLine(token);
