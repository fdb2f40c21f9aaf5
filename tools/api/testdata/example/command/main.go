// Command exports nothing that can be imported.
package main

const Command = 1

func main() {}
