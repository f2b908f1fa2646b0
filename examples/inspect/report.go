package main

import (
	"context"
	"errors"
	"slices"
	"sync"

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
	License      *ecp.BrokerLicense   `json:"license,omitempty"`
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
	Code: ecp.CodeDenied,
	Message: "the rest is told only to who logs in: set EMQX_USERNAME and EMQX_PASSWORD to an API key (EMQX 5), an " +
		"AppID (EMQX 4) or a dashboard user",
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
	r.askAll(ctx, broker, err == nil)
	return r, err
}

// part is one question: it fills in its part of a report, which no other does.
type part struct {
	name string
	ask  func() (why error, has bool)
}

// of is a question to a broker that can answer it.
func of[B any](name string, broker ecp.Broker, question func(B) error) part {
	return part{name, func() (error, bool) {
		b, ok := broker.(B)
		if !ok {
			return nil, false
		}
		return question(b), true
	}}
}

// askAll asks all questions side by side, so that a member that hangs holds up
// each of them only once. Without a login only health is told.
func (r *report) askAll(ctx context.Context, broker ecp.Broker, login bool) {
	parts := []part{of("health", broker,
		func(b ecp.HealthSource) (err error) { r.Health, err = pointer(b.Health(ctx)); return err })}
	if login {
		parts = append(parts,
			of("nodes", broker, func(b ecp.Broker) error { return r.describe(ctx, b) }),
			of("traffic", broker, func(b ecp.Monitor) (err error) {
				r.Traffic,
					err = pointer(b.Traffic(ctx))
				return err
			}),
			of("license", broker, func(b ecp.LicenseManager) (err error) {
				r.License,
					err = pointer(b.License(ctx))
				return err
			}),
			of("limit", broker, func(b ecp.ConnectionLimiter) (err error) {
				r.Limit,
					err = pointer(b.ConnectionLimit(ctx))
				return err
			}),
			of("listeners", broker, func(b ecp.ListenerManager) (err error) {
				r.Listeners,
					err = b.Listeners(ctx)
				return err
			}),
			of("alarms", broker, func(b ecp.AlarmSource) (err error) {
				r.Alarms,
					err = list(b.ActiveAlarms(ctx))
				return err
			}),
			of("rules", broker, func(b ecp.IntegrationSource) (err error) {
				r.Rules,
					err = list(b.Rules(ctx))
				return err
			}),
			of("integrations", broker, func(b ecp.IntegrationSource) (err error) {
				r.Integrations,
					err = list(b.Integrations(ctx))
				return err
			}),
		)
	}
	errs, has := make([]error, len(parts)), make([]bool, len(parts))
	var all sync.WaitGroup
	for i, p := range parts {
		all.Go(func() { errs[i], has[i] = p.ask() })
	}
	all.Wait()
	for i, p := range parts {
		switch {
		case !has[i]:
			r.Missing[p.name] = "this adapter does not ask for it"
		case errs[i] == nil:
		case errors.Is(errs[i], ecp.ErrUnsupported):
			r.Missing[p.name] = why(errs[i])
		default:
			r.Unanswered[p.name] = why(errs[i])
		}
	}
}

// describe asks for the members, of which the version and the edition are
// better known than to who has only knocked.
func (r *report) describe(ctx context.Context, b ecp.Broker) error {
	d, err := b.Describe(ctx)
	if err != nil {
		return err
	}
	r.Version = d.Version
	for _, n := range d.Nodes {
		r.Nodes = append(r.Nodes, nodeView{n, int64(n.Uptime.Seconds())})
	}
	if d.Edition != "" {
		r.Edition = d.Edition
	}
	return nil
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
