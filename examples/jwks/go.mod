module github.com/connectperms/permissions/examples/jwks

go 1.25.0

require (
	github.com/MicahParks/keyfunc/v3 v3.9.1
	github.com/connectperms/permissions v0.0.0
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/stretchr/testify v1.12.1
	golang.org/x/time v0.15.0
)

require (
	github.com/MicahParks/jwkset v0.11.4 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

// A copy of this directory elsewhere needs a released version above, and not this.
replace github.com/connectperms/permissions => ../..
