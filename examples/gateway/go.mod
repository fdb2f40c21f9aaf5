module github.com/connectperms/permissions/examples/gateway

go 1.25

require (
	github.com/connectperms/permissions v0.0.0
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/stretchr/testify v1.12.1
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect

// A copy of this directory elsewhere needs a released version above, and not this.
replace github.com/connectperms/permissions => ../..
