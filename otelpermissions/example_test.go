package otelpermissions_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/otelpermissions"
	"github.com/connectperms/permissions/permissionstest"
	"github.com/connectperms/permissions/usertoken"
)

func Example() {
	reader := metric.NewManualReader() // a service has the exporter that it likes
	observer, err := otelpermissions.New(metric.NewMeterProvider(metric.WithReader(reader)))
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := usertoken.NewVerifier(permissionstest.ProjectID, &key.PublicKey,
		usertoken.WithObserver(observer.Verification))
	if err != nil {
		fmt.Println(err)
		return
	}
	auth := httpauth.New(verifier, httpauth.WithObserver(observer.Decision))
	slack := httpauth.Sources{Integration: httpauth.Literal("slack")}
	handler := auth.Require(permissions.Events, slack.Target)(http.NotFoundHandler())

	signer, err := usertoken.NewSigner(permissionstest.ProjectID, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, claim := range []string{`{"integration:slack": ["events"]}`, `{"integration:jira": ["events"]}`} {
		token, err := signer.Sign("ann", permissions.MustParse(claim))
		if err != nil {
			fmt.Println(err)
			return
		}
		request := httptest.NewRequest("POST", "/events", nil)
		request.Header.Set("Authorization", "Bearer "+token)
		handler.ServeHTTP(httptest.NewRecorder(), request)
	}

	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &metrics); err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range metrics.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, point := range data.DataPoints {
				fmt.Println(m.Name, point.Value, printed(point.Attributes))
			}
		case metricdata.Histogram[float64]:
			for _, point := range data.DataPoints {
				fmt.Println(m.Name, point.Count, printed(point.Attributes))
			}
		}
	}
	// Unordered output:
	// connectperms.decisions 1 action=events,answer=yes,asked=action,reason=granted
	// connectperms.decisions 1 action=events,answer=no,asked=action,reason=no_rule
	// connectperms.verification.duration 2 outcome=accepted,remembered=false
}

func ExampleObserver_Decision() {
	ctx := context.Background()
	observer, err := otelpermissions.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	policy := permissions.MustParse(`{"integration:slack": ["events"]}`)
	policy = policy.Observe(func(o permissions.Observation) { observer.Decision(ctx, o) })
	fmt.Println(policy.Allowed(permissions.Events, permissions.Integration("slack")))
	// Output: true
}

// The program in the documentation compiles.
func TestProgramInTheDocumentation(t *testing.T) {
	page, err := os.ReadFile(filepath.FromSlash("../docs/telemetry.md"))
	require.NoError(t, err)
	programs := regexp.MustCompile("(?s)```go\n(package main\n.*?)```").FindAllSubmatch(page, -1)
	require.Len(t, programs, 1)
	directory := t.TempDir()
	file := filepath.Join(directory, "main.go")
	require.NoError(t, os.WriteFile(file, programs[0][1], 0o600))
	virtual, err := filepath.Abs("virtual")
	require.NoError(t, err)
	overlay := filepath.Join(directory, "overlay.json")
	require.NoError(t, os.WriteFile(overlay,
		fmt.Appendf(nil, `{"Replace": {%q: %q}}`, filepath.Join(virtual, "main.go"), file), 0o600))
	binary := filepath.Join(directory, "program")
	out, err := exec.Command("go", "build", "-overlay", overlay, "-o", binary, "./virtual").CombinedOutput()
	require.NoError(t, err, "%s", out)
}
