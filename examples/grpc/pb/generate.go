// Package pb is the code that protoc generates for credentials.proto.
package pb

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative credentials.proto
