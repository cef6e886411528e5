package telemetry

import (
	"context"
	"fmt"
	"net/url"
	"os"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// endpointVariables are OpenTelemetry's variables for the address of the collector. The
// server traces if one of them is set.
var endpointVariables = []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"}

// Traced reports whether the environment names a collector of traces.
func Traced() bool {
	for _, name := range endpointVariables {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// Faults returns a sentence for each variable of the environment that is set wrongly.
func Faults() map[string]string {
	faults := map[string]string{}
	for _, name := range endpointVariables {
		if address := os.Getenv(name); address != "" {
			if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
				faults[name] = "want an http or https address of an OTLP collector, such as http://localhost:4318"
			}
		}
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := os.Getenv(name); Traced() && protocol != "" && protocol != "http/protobuf" {
			faults[name] = "want http/protobuf, because the server speaks no other protocol"
		}
	}
	return faults
}

// Tracing makes spans and sends them to a collector in the background. It drops spans that
// the collector does not take in time, so nothing waits for the collector.
type Tracing struct{ *sdktrace.TracerProvider }

// StartTracing starts tracing as OpenTelemetry's environment variables say.
func StartTracing(ctx context.Context, version string) (*Tracing, error) {
	traces, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", Scope), attribute.String("service.version", version)),
		resource.WithFromEnv()) // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES replace these
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	return &Tracing{sdktrace.NewTracerProvider(sdktrace.WithBatcher(traces), sdktrace.WithResource(about))}, nil
}
