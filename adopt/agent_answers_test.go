package adopt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// What an agent answers in place of its broker is an error of ours, with its words,
// and what a broker answers comes as it is.
func TestAnswersOfAgents(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		code   ecp.Code
		says   string
	}{
		{403, `{"code":"READ_ONLY","message":"nobody changes anything"}`, ecp.CodeDenied, "nobody changes anything"},
		{502, `{"code":"BROKER_UNREACHABLE","message":"EMQX refuses the connection"}`, ecp.CodeUnavailable,
			"EMQX refuses the connection; what was asked of it may have been done"},
		{504, `{"code":"BROKER_TIMEOUT","message":"EMQX is slow"}`, ecp.CodeUnavailable, "may have been done"},
		{502, `{"code":"BROKER_REFUSES","message":"run this"}`, ecp.CodeUnavailable, "run this"},
		{503, `{"code":"BROKER_UNKNOWN","message":"not found yet"}`, ecp.CodeUnavailable, "not found yet"},
		{503, `{"code":"AGENT_STOPS","message":"the agent stops"}`, ecp.CodeUnavailable, "was not asked"},
		{503, `{"code":"TOO_MANY_REQUESTS","message":"too many"}`, ecp.CodeThrottled, "too many"},
		{404, `{"code":"NOT_FOUND","message":"leads nowhere"}`, ecp.CodeUnsupported, "leads nowhere"},
		{400, `{"code":"BAD_REQUEST","message":"dots"}`, ecp.CodeInvalid, "dots"},
		{413, `{"code":"TOO_LONG","message":"long"}`, ecp.CodeInvalid, "long"},
		{405, `{"code":"METHOD_NOT_ALLOWED","message":"trace"}`, ecp.CodeInvalid, "trace"},
		// This one is cut off, and so not read.
		{403, `{"code":"OF_LATER","message":"no\u001b[31m\r\nway` + strings.Repeat("x", 100_000) + `"}`,
			ecp.CodeDenied, "emqxee-agent status"},
		// This one is cut off, and so not read.
		{403, `{"code":"OF_LATER","message":"no\u001b[31m\r\nway"}`, ecp.CodeDenied, "no[31m way"},
		{400, `{"code":"OF_LATER","message":"no such form"}`, ecp.CodeInvalid, "no such form"},
		{404, `{"code":"OF_LATER","message":"no such call"}`, ecp.CodeUnsupported, "no such call"},
		{429, `{"code":"OF_LATER","message":"later"}`, ecp.CodeThrottled, "later"},
		{418, `not JSON`, ecp.CodeInvalid, "emqxee-agent status"},
		{500, ``, ecp.CodeUnavailable, "emqxee-agent status"},
	} {
		t.Run(fmt.Sprintf("%d %.60s", c.status, c.body), func(t *testing.T) {
			body := &closable{Reader: strings.NewReader(c.body)}
			answer := func(by string) *http.Response {
				h := http.Header{}
				if by != "" {
					h.Set(agentproto.AnsweredBy, by)
				}
				return &http.Response{StatusCode: c.status, Header: h, Body: body}
			}
			by := agentproto.ByAgent
			way := brokerTransport{roundTripper(func(*http.Request) (*http.Response, error) { return answer(by), nil }),
				"a1"}
			r := httptest.NewRequest(http.MethodGet, "/api/v5/nodes", http.NoBody)
			res, err := way.RoundTrip(r) //nolint:bodyclose // there is none
			require.Nil(t, res)
			require.Equal(t, c.code, ecp.CodeOf(err))
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "a1")
			require.Less(t, len(err.Error()), 3000)
			require.True(t, body.closed)
			var e *ecp.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.code == ecp.CodeThrottled, e.RetryAfter == time.Second)

			for _, by = range []string{"", "broker", "Agent"} {
				res, err = way.RoundTrip(r)
				require.NoError(t, err)
				require.Equal(t, c.status, res.StatusCode)
				require.NoError(t, res.Body.Close())
			}
		})
	}
	gone := brokerTransport{roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("agent x: %w", agentproto.ErrNotConnected)
	}), "a1"}
	_, err := gone.RoundTrip(httptest.NewRequest(http.MethodGet, "/", http.NoBody)) //nolint:bodyclose // there is none
	require.Equal(t, ecp.CodeUnavailable, ecp.CodeOf(err))
	require.ErrorContains(t, err, "was not asked")
}

// A connection that breaks is an error of ours, too, without the addresses in its text; a
// caller that goes away is none.
func TestAgentBreaksOff(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	reset, coded := errors.New("stream reset by peer 10.9.8.7"), ecp.NewError(ecp.CodeThrottled, "", "later")
	for name, c := range map[string]struct {
		left   bool
		err    error
		same   bool
		wanted ecp.Code
	}{
		"reset":           {false, reset, false, ecp.CodeUnavailable},
		"has a code":      {false, coded, true, ecp.CodeThrottled},
		"the caller left": {true, context.Canceled, true, ecp.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			way := brokerTransport{roundTripper(func(*http.Request) (*http.Response, error) { return nil, c.err }),
				"a1"}
			ctx := t.Context()
			if c.left {
				ctx = ended
			}
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
			_, err := way.RoundTrip(r) //nolint:bodyclose // there is none
			require.ErrorIs(t, err, c.err)
			if c.same {
				require.Equal(t, c.err, err)
				return
			}
			require.Equal(t, c.wanted, ecp.CodeOf(err))
			require.ErrorContains(t, err, "the connection to the agent ended")
			require.ErrorContains(t, err, "a1")
			require.NotContains(t, err.Error(), "10.9.8.7")
		})
	}
}

type closable struct {
	io.Reader
	closed bool
}

func (c *closable) Close() error {
	c.closed = true
	return nil
}
