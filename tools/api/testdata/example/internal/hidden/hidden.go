// Package hidden is internal.
package hidden

const Hidden = 1
