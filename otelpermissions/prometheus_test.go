package otelpermissions_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A dashboard is what the tests look at in dashboard.json.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Templating    struct{ List []variable }
	Panels        []panel
}

type variable struct {
	Name, Type, Definition string
	Datasource             datasource
}

type datasource struct{ Type, UID string }

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               datasource
	GridPos                  struct{ H, W, X, Y int }
	Targets                  []struct {
		RefID, Expr, LegendFormat string
		Datasource                datasource
	}
	FieldConfig struct{ Defaults struct{ Unit string } }
	Options     struct{ YAxis struct{ Unit string } }
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	data, err := os.ReadFile("dashboard.json")
	require.NoError(t, err)
	var d dashboard
	require.NoError(t, json.Unmarshal(data, &d))
	require.Greater(t, len(d.Panels), 10)
	return d
}

// The dashboard is whole: every panel says what it shows, has a place of its own, and takes the data source and the
// job that are chosen.
func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	require.Equal(t, "connectperms", d.UID)
	require.NotEmpty(t, d.Title)
	require.NotZero(t, d.SchemaVersion)
	chosen := datasource{"prometheus", "${datasource}"}
	require.Len(t, d.Templating.List, 2)
	require.Equal(t, "datasource", d.Templating.List[0].Name)
	require.Equal(t, "datasource", d.Templating.List[0].Type)
	require.Equal(t, "job", d.Templating.List[1].Name)
	require.Equal(t, chosen, d.Templating.List[1].Datasource)

	ids := make(map[int]bool)
	taken := make(map[[2]int]string)
	for _, p := range d.Panels {
		require.False(t, ids[p.ID], "%s has the ID of another panel", p.Title)
		ids[p.ID] = true
		require.NotEmpty(t, p.Title)
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			require.Less(t, x, 24, "%s is too wide", p.Title)
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				require.Empty(t, taken[[2]int{x, y}], "%s is in the same place", p.Title)
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			require.Empty(t, p.Targets)
			continue
		}
		require.NotEmpty(t, p.Description, p.Title)
		require.NotEmpty(t, p.FieldConfig.Defaults.Unit+p.Options.YAxis.Unit, p.Title)
		require.Equal(t, chosen, p.Datasource, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		for i, target := range p.Targets {
			require.Equal(t, string(rune('A'+i)), target.RefID, p.Title)
			require.Equal(t, chosen, target.Datasource, p.Title)
			require.Contains(t, target.Expr, `job=~"$job"`, p.Title)
			for _, label := range regexp.MustCompile(`\{\{(.*?)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				require.Regexp(t, `by \([a-z, ]*\b`+label[1]+`\b`, target.Expr, "%s: the legend needs the label", p.Title)
			}
		}
	}
}

var fence = regexp.MustCompile("(?s)```promql\n(.*?)```")

// expressions returns all expressions of the dashboard and of the documentation, by where they are. The variables of
// Grafana have values.
func expressions(t *testing.T, d dashboard) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all[p.Title+" "+target.RefID] = target.Expr
		}
	}
	page, err := os.ReadFile(filepath.FromSlash("../docs/telemetry.md"))
	require.NoError(t, err)
	blocks := fence.FindAllStringSubmatch(string(page), -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		for line := range strings.Lines(block[1]) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				all["docs/telemetry.md: "+line] = line
			}
		}
	}
	for where, expression := range all {
		expression = strings.NewReplacer("$__rate_interval", "15s", "$job", "service", "[5m]", "[15s]").Replace(expression)
		require.NotContains(t, expression, "$", where)
		all[where] = expression
	}
	return all
}

// A server is a Prometheus that scrapes a service.
type server struct{ url string }

// startPrometheus starts the Prometheus that is installed.
func startPrometheus(t *testing.T, target string) server {
	t.Helper()
	folder := t.TempDir()
	config := filepath.Join(folder, "prometheus.yml")
	address, err := url.Parse(target)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: service
    static_configs: [{targets: ["%s"]}]
`, address.Host), 0o600))

	// Another program may take the port before Prometheus does.
	for range 5 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		at := listener.Addr().String()
		require.NoError(t, listener.Close())
		log, err := os.Create(filepath.Join(folder, "log"))
		require.NoError(t, err)
		command := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(folder, "data"),
			"--web.listen-address="+at)
		command.Stdout, command.Stderr = log, log
		require.NoError(t, command.Start(), "install Debian's prometheus")
		ended := make(chan struct{})
		go func() {
			_ = command.Wait()
			_ = log.Close()
			close(ended)
		}()
		t.Cleanup(func() {
			_ = command.Process.Signal(syscall.SIGTERM)
			<-ended
		})
		if s := (server{"http://" + at}); s.isReady(ended) {
			return s
		}
	}
	log, _ := os.ReadFile(filepath.Join(folder, "log"))
	require.Fail(t, "Prometheus does not start", "%s", log)
	return server{}
}

// isReady waits until the server is ready. It is not if the program ends.
func (s server) isReady(ended <-chan struct{}) bool {
	for {
		select {
		case <-ended:
			return false
		case <-time.After(50 * time.Millisecond):
		}
		response, err := http.Get(s.url + "/-/ready")
		if err != nil {
			continue
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return true
		}
	}
}

// api gets a path of the HTTP API, and decodes its data. It returns what the server says is wrong.
func (s server) api(t *testing.T, path string, parameters url.Values, data any) string {
	t.Helper()
	response, err := http.Get(s.url + "/api/v1/" + path + "?" + parameters.Encode())
	require.NoError(t, err)
	defer response.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	if answer.Status == "success" {
		require.NoError(t, json.Unmarshal(answer.Data, data))
	}
	return answer.Error
}

// largest returns the largest number that an expression has now, and whether there is any. What is wrong with the
// expression ends the test.
func (s server) largest(t *testing.T, where, expression string) (largest float64, ok bool) {
	t.Helper()
	var data struct {
		Result []struct{ Value [2]any }
	}
	problem := s.api(t, "query", url.Values{"query": {expression}}, &data)
	require.Empty(t, problem, "%s: %s", where, expression)
	for _, sample := range data.Result {
		number, err := strconv.ParseFloat(sample.Value[1].(string), 64)
		require.NoError(t, err)
		if !math.IsNaN(number) && (!ok || number > largest) {
			largest, ok = number, true
		}
	}
	return largest, ok
}

// Debian's Prometheus scrapes the service, and every expression of the dashboard and of the documentation returns
// numbers from it. The dashboard shows every metric and every label.
func TestPrometheus(t *testing.T) {
	d := readDashboard(t)
	waiting := expressions(t, d)
	all := strings.Builder{}
	for _, expression := range waiting {
		all.WriteString(expression + "\n")
	}
	s := newService(t)
	p := startPrometheus(t, s.URL)

	// A rate needs two scrapes. So the service is used until each expression has a number above 0.
	for deadline := time.Now().Add(2 * time.Minute); len(waiting) > 0; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			require.Empty(t, waiting, "expressions without a number above 0")
		}
		s.use(t)
		for where, expression := range waiting {
			if number, ok := p.largest(t, where, expression); ok && number > 0 {
				delete(waiting, where)
			}
		}
	}

	var names []string
	require.Empty(t, p.api(t, "label/__name__/values", nil, &names))
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, "connectperms_") })
	require.Len(t, names, 4, "%v", names)
	for _, name := range names {
		assert.Contains(t, all.String(), name+"{", "no panel shows the metric")
	}
	for label, values := range labelValues() {
		var found []string
		ours := url.Values{"match[]": {`{__name__=~"connectperms_.*"}`}}
		require.Empty(t, p.api(t, "label/"+label+"/values", ours, &found))
		assert.Subset(t, values, found, label)
		if !strings.HasPrefix(label, "otel_") {
			assert.NotEmpty(t, found, "no request has the label %s", label)
			assert.Regexp(t, `\b`+label+`\b`, all.String(), "no panel shows the label")
		}
	}

	// The variable of the dashboard has the job.
	definition := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`).FindStringSubmatch(d.Templating.List[1].Definition)
	require.Len(t, definition, 3)
	var jobs []string
	require.Empty(t, p.api(t, "label/"+definition[2]+"/values", url.Values{"match[]": {definition[1]}}, &jobs))
	require.Equal(t, []string{"service"}, jobs)
}
