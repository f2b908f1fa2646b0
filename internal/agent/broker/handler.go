package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// AnsweredBy is the header of every answer that is the agent's own and not EMQX'.
const AnsweredBy = "Ecp-Answered-By"

// API returns the handler of requests that reach EMQX's API with the agent's
// credentials. Only paths of the API are led there, and no upgrades.
func (a *Access) API() http.Handler {
	proxy := a.proxy(a)
	rewrite := proxy.Rewrite
	proxy.Rewrite = func(p *httputil.ProxyRequest) {
		rewrite(p)
		for name := range p.Out.Header {
			if stripped(name) {
				p.Out.Header.Del(name)
			}
		}
		p.Out.Header.Set("User-Agent", "emqxee-agent")
	}
	modify := proxy.ModifyResponse
	proxy.ModifyResponse = func(res *http.Response) error {
		res.Header.Del("Set-Cookie")
		return modify(res)
	}
	return bounded(make(gate, apiAtOnce), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch why := checkTarget(r); {
		case why != "":
			answer(w, http.StatusBadRequest, "BAD_REQUEST", why)
		case !isAPI(r.URL.EscapedPath()):
			answer(w, http.StatusNotFound, "NOT_FOUND", "only /status and what is below /api/v4 and /api/v5 is reached here")
		case r.Header.Get("Upgrade") != "":
			answer(w, http.StatusBadRequest, "BAD_REQUEST", "the API of EMQX has no other protocols; leave the header Upgrade out")
		case a.settings.ReadOnly && writes(r):
			answer(w, http.StatusForbidden, "READ_ONLY", readOnly)
		default:
			if err := keep(r); err != nil {
				answer(w, http.StatusBadRequest, "BAD_REQUEST", "the body ended early")
				return
			}
			proxy.ServeHTTP(w, r)
		}
	}))
}

// Dashboard returns the handler of requests that reach EMQX's dashboard as they
// are, upgrades too. It adds no credentials.
func (a *Access) Dashboard() http.Handler {
	proxy := a.proxy(a.transport)
	return bounded(make(gate, dashboardAtOnce), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch why := checkTarget(r); {
		case why != "":
			answer(w, http.StatusBadRequest, "BAD_REQUEST", why)
		case a.settings.ReadOnly && writes(r):
			answer(w, http.StatusForbidden, "READ_ONLY", readOnly)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
}

const readOnly = "the agent is read-only: whoever set it up lets nobody change anything through it"

// proxy passes requests on to the dashboard's address, or where rt leads them.
func (a *Access) proxy(rt http.RoundTripper) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: rt, FlushInterval: -1, BufferPool: &buffers{}, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
		Rewrite: func(p *httputil.ProxyRequest) {
			to(a.dashboard, p.Out)
			p.Out.URL.RawQuery, p.Out.URL.ForceQuery = p.In.URL.RawQuery, p.In.URL.ForceQuery
			if _, said := p.In.Header["User-Agent"]; !said {
				p.Out.Header["User-Agent"] = nil // none is made up
			}
		},
		ModifyResponse: func(res *http.Response) error {
			res.Header.Del(AnsweredBy)
			if res.StatusCode != http.StatusSwitchingProtocols {
				res.Body = &shortened{res.Body, mostReply}
			}
			return nil
		},
		ErrorHandler: a.unanswered,
	}
}

// stripped are headers of a request that the broker's API must not get: whose
// request it is is the agent's to say.
func stripped(name string) bool {
	switch name {
	case "Authorization", "Cookie", "Forwarded", "X-Real-Ip", "Origin", "Referer", "Expect":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "Proxy-") || strings.Contains(name, "_")
}

// keep keeps a short body, so that it can be sent again.
func keep(r *http.Request) error {
	if r.ContentLength < 0 || r.ContentLength > mostKept {
		return nil
	}
	if r.ContentLength == 0 {
		r.Body, r.GetBody = http.NoBody, nil
		return nil
	}
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return err
	}
	r.Body.Close()
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	return nil
}

// unanswered answers for a broker that did not.
func (a *Access) unanswered(w http.ResponseWriter, r *http.Request, err error) {
	status, code := http.StatusBadGateway, "BROKER_UNREACHABLE"
	var words string
	var ours *ecp.Error
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		status, code, words = http.StatusRequestEntityTooLarge, "TOO_LONG", "the body of the request is longer than may pass"
	case r.Context().Err() != nil && !errors.Is(r.Context().Err(), context.DeadlineExceeded):
		return // nobody is left to be answered
	case errors.Is(err, context.DeadlineExceeded):
		status, code, words = http.StatusGatewayTimeout, "BROKER_TIMEOUT", "EMQX at "+a.dashboard.String()+" gives no answer in time"
	case errors.As(err, &ours):
		words = ours.Error()
	default:
		words = "EMQX at " + a.dashboard.String() + " " + wordsOf(err)
	}
	a.log.DebugContext(r.Context(), "EMQX did not answer a request through the tunnel", "path", r.URL.Path, "error", words)
	answer(w, status, code, words)
}

// answer is an answer of the agent's own, in the form of EMQX 5's.
func answer(w http.ResponseWriter, status int, code, message string) {
	body, err := json.Marshal(map[string]string{"code": code, "message": message})
	if err != nil {
		body = nil // of strings only
	}
	h := w.Header()
	h.Set(AnsweredBy, "agent")
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Unknown answers a request where it is not known yet which broker it is for.
func Unknown(w http.ResponseWriter) {
	answer(w, http.StatusServiceUnavailable, "BROKER_UNKNOWN", "the agent has not found its EMQX yet, or has no credentials that it takes; `emqxee-agent status` on its host says more")
}
