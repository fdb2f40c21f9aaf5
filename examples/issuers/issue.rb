# Signs a Paragon User Token with ruby-jwt.

require "jwt"
require "openssl"

key = OpenSSL::PKey::RSA.new(ENV.fetch("PARAGON_SIGNING_KEY"))
now = Time.now.to_i # without to_i, iat and exp have fractions

payload = {
  "sub" => "user-4711",
  "aud" => "useparagon.com/#{ENV.fetch("PARAGON_PROJECT_ID")}",
  "iat" => now,
  "exp" => now + 15 * 60,
  # A Hash. Do not give to_json of it: then the claim is a string, and refused.
  "urn:useparagon:connect:permissions" => {
    "integration:*" => ["metadata:read"],
    "integration:slack" => {
      "credential:*" => false,
      "credential:3fa85f64-5717-4562-b3fc-2c963f66afa6" => ["proxy-api", "workflows"],
    },
    "configuration:ext:Team A" => ["settings:write"],
  },
}

puts JWT.encode(payload, key, "RS256", { typ: "JWT" })
