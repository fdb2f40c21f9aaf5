package analyze_test

import (
	"fmt"
	"strings"

	"github.com/connectperms/permissions"
)

// A shape is a claim with n rules that is hard to analyze.
type shape struct {
	name  string
	claim func(n int) string
}

// uuid returns an ID with a number.
func uuid(i int) string { return fmt.Sprintf("10000000-0000-4000-8000-%012x", i) }

// object returns the JSON of an object with n members.
func object(n int, member func(i int) string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(member(i))
	}
	b.WriteByte('}')
	return b.String()
}

// objectOf returns the JSON of an object with the members of several objects.
func objectOf(objects ...string) string {
	var list []string
	for _, o := range objects {
		if o = o[1 : len(o)-1]; o != "" {
			list = append(list, o)
		}
	}
	return "{" + strings.Join(list, ",") + "}"
}

func byID(kind, grant string) func(int) string {
	return func(i int) string { return fmt.Sprintf("%q:%s", kind+":"+uuid(i), grant) }
}

func byExternalID(kind, grant string) func(int) string {
	return func(i int) string { return fmt.Sprintf("%q:%s", fmt.Sprintf("%s:ext:team-%d", kind, i), grant) }
}

const rootEvents = `{"integration:*":["events"]}`

func in(scope, inside string) string { return fmt.Sprintf("{%q:%s}", scope, inside) }

var shapes = []shape{
	{"redundant credentials", func(n int) string {
		return objectOf(rootEvents, in("integration:slack", object(n, byID("credential", `["events"]`))))
	}},
	{"different credentials", func(n int) string {
		return objectOf(rootEvents, in("integration:slack", object(n, byID("credential", `["events","workflows"]`))))
	}},
	{"integrations", func(n int) string {
		return object(n/2, func(i int) string {
			return fmt.Sprintf(`"integration:i%d":{"credential:*":["events"],"credential:%s":["events"]}`, i, uuid(i))
		})
	}},
	{"redundant IDs and external IDs", func(n int) string {
		return objectOf(rootEvents,
			object(n/2, byID("credential", `["events"]`)), object(n/2, byExternalID("credential", `["events"]`)))
	}},
	{"IDs that differ from external IDs", func(n int) string {
		return objectOf(rootEvents,
			object(n/2, byID("credential", `["events"]`)), object(n/2, byExternalID("credential", `false`)))
	}},
	{"integrations and credentials of all", func(n int) string {
		return objectOf(object(n/2, byID("credential", `["events"]`)),
			object(n/2, func(i int) string { return fmt.Sprintf(`"integration:i%d":["events"]`, i) }))
	}},
	{"external IDs that an integration overrides", func(n int) string {
		return objectOf(rootEvents, object(n/3, byExternalID("credential", `false`)),
			in("integration:slack", objectOf(
				object(n/3, byID("credential", `["events"]`)), object(n/3, byExternalID("credential", `["events"]`)))))
	}},
	{"IDs that an integration overrides", func(n int) string {
		return objectOf(rootEvents, object(n/3, byID("credential", `["events"]`)),
			in("integration:slack", objectOf(
				object(n/3, byID("credential", `["events"]`)), object(n/3, byExternalID("credential", `false`)))))
	}},
	{"configurations crosswise", func(n int) string {
		return objectOf(rootEvents,
			object(n/4, byID("configuration", `["events"]`)), object(n/4, byExternalID("configuration", `["events"]`)),
			object(n/4, byID("credential", `["events"]`)), object(n/4, byExternalID("credential", `["events"]`)))
	}},
	{"configurations of credentials", func(n int) string {
		return objectOf(rootEvents,
			object(n/4, func(i int) string {
				return fmt.Sprintf(`"credential:%s":{"configuration:ext:t%d":["events"],"configuration:%s":false}`,
					uuid(i), i%97, uuid(i%89))
			}),
			object(n/4, func(i int) string {
				return fmt.Sprintf(`"credential:ext:t%d":{"configuration:ext:t%d":false,"configuration:%s":["events"]}`,
					i, i%83, uuid(i%79))
			}))
	}},
	{"rules that override each other crosswise", crosswise},
	{"one long name", func(n int) string {
		long := strings.Repeat("x", 20*n)
		return objectOf(rootEvents, in("integration:"+long, object(n, byID("credential", `["events"]`))))
	}},
	{"two long names that differ at the end", func(n int) string {
		long := strings.Repeat("x", 10*n)
		return objectOf(in("integration:"+long+"1", object(n/2, byID("credential", `["events"]`))),
			in("integration:"+long+"2", object(n/2, byID("credential", `["events"]`))))
	}},
	{"a long external ID over configurations", func(n int) string {
		long := strings.Repeat("x", 20*n)
		return in("integration:slack", in("credential:ext:"+long, object(n, byExternalID("configuration", `["events"]`))))
	}},
}

func policyOf(claim string) *permissions.Policy { return permissions.MustParse(claim) }
