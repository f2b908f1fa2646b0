package broker

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// callTime bounds one call of the broker's.
const callTime = 4 * time.Second

// Detect logs in to the broker and returns its version and edition. The error has the code
// unsupported for a broker that cannot be managed, denied for wrong credentials, and
// unavailable if nothing answers. The Detection then contains what is known.
func (a *Access) Detect(ctx context.Context) (ecp.Detection, error) {
	f, err := a.Find(ctx)
	if err != nil {
		return FoundIn(err), err
	}
	for _, adapter := range a.adapters(callTime) {
		if detector, ok := adapter.(ecp.Detector); ok && adapter.Major() == f.Major {
			d, err := detector.Detect(ctx, ecp.Endpoint{BaseURL: f.Base.String(), Transport: a, Authenticated: true})
			return d, foundInstead(d, a.Advise(err))
		}
	}
	return ecp.Detection{Major: f.Major}, fail(ecp.CodeUnsupported, "ask EMQX",
		"there is no adapter for its major version")
}

// foundError is the error for a broker that cannot be managed, with its Detection.
type foundError struct {
	error
	found ecp.Detection
}

// Unwrap returns the error without the Detection.
func (e *foundError) Unwrap() error { return e.error }

func foundInstead(d ecp.Detection, err error) error {
	if errors.Is(err, ecp.ErrUnsupported) && d.Major != 0 {
		return &foundError{err, d}
	}
	return err
}

// FoundIn returns the Detection of a broker that cannot be managed, if an error of this
// package contains one.
func FoundIn(err error) ecp.Detection {
	var e *foundError
	if errors.As(err, &e) {
		return e.found
	}
	return ecp.Detection{}
}

// Prove returns the result of Detect as a text.
func (a *Access) Prove(ctx context.Context) (string, error) {
	d, err := a.Detect(ctx)
	if err != nil {
		return "", err
	}
	return "EMQX " + d.Version + " (" + d.Edition + ") takes them", nil
}

// Advise adds to a refusal of the credentials the command that sets others.
func (a *Access) Advise(err error) error {
	var e *ecp.Error
	if !errors.As(err, &e) || e.Code != ecp.CodeDenied {
		return err
	}
	told := *e
	told.Message += "; run `" + a.command() + "`, which asks for the password"
	return &told
}

// command returns the command that sets other credentials. The password is not part of it,
// because the shell's history would keep it.
func (a *Access) command() string {
	return "emqxee-agent register --emqx-dashboard-url " + a.dashboard.String() + " --emqx-dashboard-username NAME"
}

// StepLogin is the name of the step of [Check] that needs credentials.
const StepLogin = "broker login"

// Check tries to connect to the broker, and returns the steps.
func Check(ctx context.Context, s Settings) []agentproto.CheckStep {
	a, err := New(Config{Settings: s})
	if err != nil {
		return []agentproto.CheckStep{{Name: "broker settings", Err: err.Error(),
			Hint: "run `emqxee-agent register` again with right values"}}
	}
	defer a.Close(ctx)
	steps := []agentproto.CheckStep{a.checkTCP(ctx, a.dashboard)}
	if !steps[0].OK && a.api4.Host != a.dashboard.Host {
		steps = append(steps, a.checkTCP(ctx, a.api4))
	}
	if !steps[len(steps)-1].OK {
		return steps
	}
	f, err := a.Find(ctx)
	find := agentproto.CheckStep{Name: "broker version", OK: err == nil}
	if err != nil {
		find.Err, find.Hint = ecp.MessageOf(err), a.hint(err)
		return append(steps, find)
	}
	find.Detail = "EMQX " + map[int]string{4: "4", 5: "5 or later"}[f.Major] + " at " + f.Base.String()
	login := agentproto.CheckStep{Name: StepLogin}
	says, err := a.Prove(ctx)
	if login.OK, login.Detail = err == nil, says; err != nil {
		login.Err, login.Hint = ecp.MessageOf(err), a.hint(err)
	}
	dash := agentproto.CheckStep{Name: "broker dashboard", OK: true, Detail: "answers at " + a.dashboard.String()}
	if err := a.AskDashboard(ctx); err != nil {
		dash = agentproto.CheckStep{Name: dash.Name, Err: err.Error(),
			Hint: "dashboards cannot be opened through the agent until it answers"}
	}
	return append(steps, find, login, dash)
}

// hint returns what a person can do about an error of [Access.Find] or [Access.Detect].
func (a *Access) hint(err error) string {
	switch {
	case errors.Is(err, ecp.ErrDenied):
		return a.command() + " asks for the password"
	case errors.Is(err, ecp.ErrUnsupported):
		return "EMQX Enterprise 4.4.6 or later, or 5.6.0 or later, is needed there"
	case errors.Is(err, context.DeadlineExceeded):
		return "EMQX takes connections and does not answer: look at its log, and at how busy its host is"
	}
	return "see that EMQX's dashboard and API are what answers there, or give their address with --emqx-dashboard-url"
}

func (a *Access) checkTCP(ctx context.Context, u *url.URL) agentproto.CheckStep {
	step := agentproto.CheckStep{Name: "broker tcp"}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	conn, err := (&net.Dialer{Timeout: dialTime}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		step.Err, step.Hint = "EMQX at "+u.String()+" "+wordsOf(err), "see that EMQX runs on this host, or give its "+
			"address with --emqx-dashboard-url"
		return step
	}
	conn.Close()
	step.OK, step.Detail = true, u.Host+" takes connections"
	return step
}

// AskDashboard requests the dashboard's page without credentials.
func (a *Access) AskDashboard(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.dashboard.String()+"/", http.NoBody)
	if err != nil {
		return err
	}
	res, err := a.transport.RoundTrip(r)
	if err != nil {
		return &ecp.Error{Code: ecp.CodeUnavailable, Op: "ask for EMQX's dashboard",
			Message: "EMQX at " + a.dashboard.String() + " " + wordsOf(err), Cause: err}
	}
	res.Body.Close()
	if res.StatusCode >= http.StatusInternalServerError {
		return fail(ecp.CodeUnavailable, "ask for EMQX's dashboard", "it answered "+res.Status)
	}
	return nil
}
