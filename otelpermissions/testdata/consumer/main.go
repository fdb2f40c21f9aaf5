package main

import (
	"context"
	"fmt"
	"log"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/otelpermissions"
)

func main() {
	ctx := context.Background()
	reader := metric.NewManualReader()
	observer, err := otelpermissions.New(metric.NewMeterProvider(metric.WithReader(reader)))
	if err != nil {
		log.Fatal(err)
	}
	policy := permissions.MustParse(`{"integration:slack": ["events"]}`).Observe(func(o permissions.Observation) {
		observer.Decision(ctx, o)
	})
	policy.Allowed(permissions.Events, permissions.Integration("slack"))
	policy.Allowed(permissions.Events, permissions.Integration("jira"))

	var all metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &all); err != nil {
		log.Fatal(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		fmt.Println(m.Name, len(m.Data.(metricdata.Sum[int64]).DataPoints))
	}
}
