// Package dashboard tests the dashboard of otelpermissions with Grafana's own types.
package dashboard_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// Grafana knows every field of the dashboard, and no required one is missing.
func TestDashboard(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	data, err := os.ReadFile(filepath.FromSlash("../../otelpermissions/dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 the newer form is not what Grafana's page for imports takes in all versions
	var d dashboard.Dashboard
	// Where nothing is wrong it returns an empty list of errors, and not nil.
	if err := d.UnmarshalJSONStrict(data); err != nil && err.Error() != "" {
		t.Fatal(err)
	}
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) < 10 {
		t.Fatalf("there are %d panels", len(d.Panels))
	}
}
