package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMeasure measures few rows: all ways give the same page, and the report and the chart have all
// databases.
func TestMeasure(t *testing.T) {
	r, err := measure(t.Context(), 1000, 0, io.Discard)
	require.NoError(t, err)
	require.Len(t, r.list, 3*len(policies())*len(ways))
	report, chart := string(r.report()), string(r.chart())
	for _, name := range []string{"PostgreSQL", "MariaDB", "SQLite"} {
		require.Contains(t, report, "| "+name+" | 1,000 |")
		require.Contains(t, chart, name+", condition")
		require.Contains(t, chart, name+", loop")
	}
	decoder := xml.NewDecoder(strings.NewReader(chart))
	for {
		if _, err := decoder.Token(); err != nil {
			require.True(t, errors.Is(err, io.EOF), "%v", err)
			return
		}
	}
}
