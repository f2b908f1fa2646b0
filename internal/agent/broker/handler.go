package broker

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// API returns the handler that passes requests to EMQX's API with the agent's credentials.
// It refuses upgrades, and paths that are not of the API.
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
		if kept, ok := res.Body.(*keptRefusal); ok {
			return a.refusing(kept)
		}
		res.Header.Del("Set-Cookie")
		return modify(res)
	}
	return bounded(make(gate, apiAtOnce), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o := cmp.Or(checkRequest(r), checkAPI(r), a.checkChanges(r)); o != nil {
			o.answer(w)
			return
		}
		if err := keep(r); err != nil {
			answer(w, http.StatusBadRequest, agentproto.AnswerBadRequest, "the body ended early")
			return
		}
		proxy.ServeHTTP(w, r)
	}))
}

// Dashboard returns the handler that passes requests, including WebSockets, to EMQX's
// dashboard unchanged. It adds no credentials.
func (a *Access) Dashboard() http.Handler {
	proxy := a.proxy(a.transport)
	rewrite := proxy.Rewrite
	proxy.Rewrite = func(p *httputil.ProxyRequest) {
		rewrite(p)
		// whose page it is was checked where the page is; EMQX knows itself by one address only
		if p.Out.Header.Get("Origin") != "" {
			p.Out.Header.Set("Origin", a.dashboard.Scheme+"://"+a.dashboard.Host)
		}
	}
	return bounded(make(gate, dashboardAtOnce), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o := cmp.Or(checkRequest(r), checkUpgrade(r), a.checkChanges(r)); o != nil {
			o.answer(w)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
}

// proxy passes requests on to the dashboard's address, or to that of rt.
func (a *Access) proxy(rt http.RoundTripper) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: rt, FlushInterval: -1, BufferPool: &buffers{}, ErrorLog: slog.NewLogLogger(a.log.Handler(),
			slog.LevelDebug),
		Rewrite: func(p *httputil.ProxyRequest) {
			to(a.dashboard, p.Out)
			p.Out.URL.RawQuery, p.Out.URL.ForceQuery = p.In.URL.RawQuery, p.In.URL.ForceQuery
			p.Out.Trailer = nil
			for _, name := range overrides {
				p.Out.Header.Del(name)
			}
			if _, said := p.In.Header["User-Agent"]; !said {
				p.Out.Header["User-Agent"] = nil // none is made up
			}
		},
		ModifyResponse: func(res *http.Response) error {
			res.Header.Del(agentproto.AnsweredBy)
			keepHere(res.Header, a.dashboard)
			if res.StatusCode != http.StatusSwitchingProtocols {
				res.Body = &shortened{res.Body, mostReply}
			}
			return nil
		},
		ErrorHandler: a.unanswered,
	}
}

// keepHere replaces EMQX's own address in a redirect by the path: the client cannot reach
// EMQX by the address that the agent uses.
func keepHere(h http.Header, own *url.URL) {
	to, err := url.Parse(h.Get("Location"))
	if err == nil && to.Host != "" && strings.EqualFold(to.Host, own.Host) &&
		(to.Scheme == "" || to.Scheme == own.Scheme) && !strings.HasPrefix(to.EscapedPath(), "//") {
		to.Scheme, to.Host, to.User = "", "", nil
		h.Set("Location", cmp.Or(to.String(), "/"))
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

// refusing returns the error for a refusal of the agent's credentials, so that clients do
// not take it for a refusal of their own.
func (a *Access) refusing(kept *keptRefusal) error {
	says := "it refuses the agent's credentials"
	body, _ := io.ReadAll(kept) // it is in memory
	if code, _ := said(body); refused[code] || code == "LOGIN_LOCKED" {
		says += " (" + code + ")"
	}
	return a.Advise(fail(ecp.CodeDenied, "ask EMQX at "+a.dashboard.String(), says))
}

// unanswered answers in place of a broker that did not.
func (a *Access) unanswered(w http.ResponseWriter, r *http.Request, err error) {
	status, code := http.StatusBadGateway, agentproto.AnswerUnreachable
	var words string
	var ours *ecp.Error
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		status, code, words = http.StatusRequestEntityTooLarge, agentproto.AnswerTooLong, "the body of the request is "+
			"longer than may pass"
	case r.Context().Err() != nil && !errors.Is(r.Context().Err(), context.DeadlineExceeded):
		return // nobody is left to be answered
	case errors.Is(err, context.DeadlineExceeded):
		status, code, words = http.StatusGatewayTimeout, agentproto.AnswerTimeout, "EMQX at "+a.dashboard.String()+
			" gives no answer in time"
	case errors.As(err, &ours) && ours.Code == ecp.CodeDenied:
		code, words = agentproto.AnswerRefused, ours.Error()
	case errors.As(err, &ours) && ours.Code == ecp.CodeUnsupported:
		code, words = agentproto.AnswerUnknown, ours.Error()
	case errors.As(err, &ours):
		words = ours.Error()
	default:
		words = "EMQX at " + a.dashboard.String() + " " + wordsOf(err)
	}
	a.log.DebugContext(r.Context(), "EMQX did not answer a request through the tunnel", "path", r.URL.Path, "error",
		words)
	answer(w, status, code, words)
}

// answer writes an answer of the agent in place of EMQX's.
func answer(w http.ResponseWriter, status int, code agentproto.AnswerCode, message string) {
	agentproto.Answer{Code: code, Message: message}.Write(w, status)
}

// Unknown answers a request while the broker is not known yet.
func Unknown(w http.ResponseWriter) {
	answer(w, http.StatusServiceUnavailable, agentproto.AnswerUnknown,
		"the agent has not found its EMQX yet, or has no credentials that it takes; `emqxee-agent status` on its "+
			"host says more")
}
