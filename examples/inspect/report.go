package main

import (
	"context"
	"errors"
	"slices"

	"github.com/openecp/openecp/ecp"
)

// report is what a broker said. Parts that it does not have, or did not
// answer, are left out; Missing and Unanswered say why.
type report struct {
	Major   int    `json:"major"`
	Version string `json:"version,omitempty"`
	Edition string `json:"edition,omitempty"`
	// Unmanaged is why OpenECP could not manage this broker; "" = it could.
	Unmanaged string `json:"unmanaged,omitempty"`

	Health       *ecp.Health          `json:"health,omitempty"`
	Nodes        []nodeView           `json:"nodes,omitempty"`
	Traffic      *ecp.Traffic         `json:"traffic,omitempty"`
	Limit        *ecp.ConnectionLimit `json:"limit,omitempty"`
	Licence      *ecp.License         `json:"licence,omitempty"`
	Listeners    []ecp.BrokerListener `json:"listeners,omitempty"`
	Alarms       []ecp.Alarm          `json:"alarms,omitzero"` // none is an empty list, here and below
	Rules        []ecp.Rule           `json:"rules,omitzero"`
	Integrations []ecp.Integration    `json:"integrations,omitzero"`
	Missing      map[string]string    `json:"missing,omitempty"`    // part → why this broker does not have it
	Unanswered   map[string]string    `json:"unanswered,omitempty"` // part → why it did not answer
}

// nodeView is a node with its uptime as JSON has it.
type nodeView struct {
	ecp.BrokerNode
	UptimeSeconds int64 `json:"uptimeSeconds"`
}

// errNoCredentials says why nothing more can be asked.
var errNoCredentials = &ecp.Error{
	Code: ecp.CodeDenied, Op: "inspect",
	Message: "the rest is told only to who logs in: set EMQX_USERNAME and EMQX_PASSWORD to an API key (EMQX 5), an AppID (EMQX 4) or a dashboard user",
}

// inspect asks everything. The error is that of the first question, without
// whose answer there are no others.
func inspect(ctx context.Context, e ecp.Endpoint, adapters ...ecp.Adapter) (report, error) {
	r := report{Missing: map[string]string{}, Unanswered: map[string]string{}}
	found, err := ecp.Detect(ctx, e, adapters...)
	r.Major, r.Version, r.Edition = found.Major, found.Version, found.Edition
	if errors.Is(err, ecp.ErrUnsupported) && found.Major != 0 {
		r.Unmanaged, err = why(err), nil // it can be looked at all the same
	}
	if e.Credentials == (ecp.Credentials{}) && found.Major != 0 && (err == nil || errors.Is(err, ecp.ErrDenied)) {
		err = errNoCredentials
	}
	i := slices.IndexFunc(adapters, func(a ecp.Adapter) bool { return a.Major() == min(found.Major, 5) })
	if i < 0 {
		return r, err
	}
	broker, failed := adapters[i].Open(e)
	if failed != nil {
		return r, failed
	}
	defer broker.Close()
	ask(&r, "health", func(b ecp.HealthSource) (err error) { r.Health, err = pointer(b.Health(ctx)); return err }, broker)
	if err != nil {
		return r, err
	}
	r.describe(ctx, broker)
	r.askRest(ctx, broker)
	return r, nil
}

func (r *report) describe(ctx context.Context, b ecp.Broker) {
	d, err := b.Describe(ctx)
	if err != nil {
		r.Unanswered["nodes"] = why(err)
		return
	}
	r.Version = d.Version
	for _, n := range d.Nodes {
		r.Nodes = append(r.Nodes, nodeView{n, int64(n.Uptime.Seconds())})
	}
	if d.Edition != "" {
		r.Edition = d.Edition
	}
}

func (r *report) askRest(ctx context.Context, broker ecp.Broker) {
	ask(r, "traffic", func(b ecp.Monitor) (err error) { r.Traffic, err = pointer(b.Traffic(ctx)); return err }, broker)
	ask(r, "licence", func(b ecp.LicenseManager) (err error) { r.Licence, err = pointer(b.License(ctx)); return err }, broker)
	ask(r, "limit", func(b ecp.ConnectionLimiter) (err error) { r.Limit, err = pointer(b.ConnectionLimit(ctx)); return err }, broker)
	ask(r, "listeners", func(b ecp.ListenerManager) (err error) { r.Listeners, err = b.Listeners(ctx); return err }, broker)
	ask(r, "alarms", func(b ecp.AlarmSource) (err error) { r.Alarms, err = list(b.ActiveAlarms(ctx)); return err }, broker)
	ask(r, "rules", func(b ecp.IntegrationSource) (err error) { r.Rules, err = list(b.Rules(ctx)); return err }, broker)
	ask(r, "integrations", func(b ecp.IntegrationSource) (err error) { r.Integrations, err = list(b.Integrations(ctx)); return err }, broker)
}

// ask puts a question to a broker that can answer it, and notes why not.
func ask[B any](r *report, part string, question func(B) error, broker ecp.Broker) {
	b, ok := broker.(B)
	if !ok {
		r.Missing[part] = "this adapter does not ask for it"
		return
	}
	err := question(b)
	switch {
	case err == nil:
	case errors.Is(err, ecp.ErrUnsupported):
		r.Missing[part] = why(err)
	default:
		r.Unanswered[part] = why(err)
	}
}

// why is what an error says, without whom was asked: that is the same in all.
func why(err error) string {
	var e *ecp.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// pointer makes an answer one that can be left out.
func pointer[T any](v T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// list makes an answer that names nothing another than none.
func list[T any](v []T, err error) ([]T, error) {
	if err == nil && v == nil {
		v = []T{}
	}
	return v, err
}
