// SPDX-License-Identifier: Apache-2.0

// Jaeger with what the tests need of it: OTLP in, its storage in memory, and of its query API what shows traces, services and who
// calls whom. Its own main package brings every storage and every receiver along, a build three times as large, and so does the
// package of its HTTP handlers; ours answer with what its query service and its conversion give, as those do. Most of what is used
// is internal: this module's path is below Jaeger's, for Go to let it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger/cmd/query/app/querysvc"
	"github.com/jaegertracing/jaeger/internal/jptrace/sanitizer"
	"github.com/jaegertracing/jaeger/internal/storage/v1/api/spanstore"
	v1 "github.com/jaegertracing/jaeger/internal/storage/v1/memory"
	"github.com/jaegertracing/jaeger/internal/storage/v2/memory"
	"github.com/jaegertracing/jaeger/internal/telemetry"
	"github.com/jaegertracing/jaeger/internal/uimodel"
	uiconv "github.com/jaegertracing/jaeger/internal/uimodel/converter/v1/json"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
)

const maxTraces = 100000

// receive hands what comes in by OTLP/HTTP to the storage, as Jaeger's storage exporter does.
func receive(address string, store *memory.Store) error {
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	config.HTTP.GetOrInsertDefault().ServerConfig.Endpoint = address
	next, err := consumer.NewTraces(func(ctx context.Context, traces ptrace.Traces) error {
		return store.WriteTraces(ctx, sanitizer.Sanitize(traces))
	})
	if err != nil {
		return err
	}
	settings := receiver.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: telemetry.NoopSettings().ToOtelComponent()}
	receiving, err := factory.CreateTraces(context.Background(), settings, config, next)
	if err != nil {
		return err
	}
	return receiving.Start(context.Background(), componenttest.NewNopHost())
}

func reply(answer http.ResponseWriter, data any, err error) {
	if err != nil {
		status := http.StatusInternalServerError
		if errors.Is(err, spanstore.ErrTraceNotFound) {
			status = http.StatusNotFound
		}
		http.Error(answer, err.Error(), status)
		return
	}
	answer.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(answer).Encode(map[string]any{"data": data}); err != nil {
		log.Print(err)
	}
}

func getTrace(query *querysvc.QueryService, request *http.Request) (any, error) {
	id, err := model.TraceIDFromString(request.PathValue("id"))
	if err != nil {
		return nil, err
	}
	trace, err := query.GetTrace(request.Context(), querysvc.GetTraceParameters{
		GetTraceParameters: spanstore.GetTraceParameters{TraceID: id}})
	if err != nil {
		return nil, err
	}
	return []*uimodel.Trace{uiconv.FromDomain(trace)}, nil
}

func getDependencies(query *querysvc.QueryService, request *http.Request) (any, error) {
	end, err := strconv.ParseInt(request.FormValue("endTs"), 10, 64)
	if err != nil {
		return nil, err
	}
	links, err := query.GetDependencies(request.Context(), time.UnixMilli(end), 24*time.Hour)
	return uiconv.DependenciesFromDomain(links), err
}

func serve(listener net.Listener, store *memory.Store) error {
	query := querysvc.NewQueryService(store, store, querysvc.QueryServiceOptions{})
	routes := http.NewServeMux()
	routes.HandleFunc("GET /api/traces/{id}", func(answer http.ResponseWriter, request *http.Request) {
		data, err := getTrace(query, request)
		reply(answer, data, err)
	})
	routes.HandleFunc("GET /api/services", func(answer http.ResponseWriter, request *http.Request) {
		data, err := query.GetServices(request.Context())
		reply(answer, data, err)
	})
	routes.HandleFunc("GET /api/dependencies", func(answer http.ResponseWriter, request *http.Request) {
		data, err := getDependencies(query, request)
		reply(answer, data, err)
	})
	return http.Serve(listener, routes)
}

func main() {
	otlp := flag.String("otlp", "", "where to receive OTLP/HTTP")
	address := flag.String("query", "", "where to answer queries")
	flag.Parse()
	store, err := memory.NewStore(v1.Configuration{MaxTraces: maxTraces})
	if err != nil {
		log.Fatal(err)
	}
	if err := receive(*otlp, store); err != nil {
		log.Fatal(err)
	}
	// Last, so that who can ask can send, too.
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(serve(listener, store))
}
