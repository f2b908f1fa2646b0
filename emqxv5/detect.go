package emqxv5

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// realm is the realm of EMQX 5.
const realm = "emqx-dashboard"

// detect detects what answers, with the credentials if there are some. If the broker
// refuses them, the result still has what can be seen without.
func detect(ctx context.Context, c *emqxhttp.Client, login bool) (ecp.Detection, error) {
	if !login {
		return detectOpenly(ctx, c)
	}
	b := &broker{client: c}
	d, err := emqxhttp.Hedged(ctx, b.detected, b.eachMember)
	if err == nil {
		return checkManaged(c, ecp.Detection{
			Major: 5, Version: emqxhttp.LowestRunning(d), Edition: d.Edition, Authenticated: true,
		})
	}
	if !errors.Is(err, ecp.ErrDenied) {
		return ecp.Detection{}, err
	}
	known, openly := detectOpenly(ctx, c)
	if known.Major == 0 && openly != nil { // another server refuses
		return known, openly
	}
	return known, err
}

// detected queries the members, perhaps of another server.
func (b *broker) detected(ctx context.Context) (ecp.Description, error) {
	a, err := b.client.Get(ctx, nodesPath)
	switch {
	case err != nil:
		return ecp.Description{}, err
	case !a.OK():
		return ecp.Description{}, b.refused(ctx, a)
	}
	d, err := decodeNodes(a.Body)
	if err != nil || !a.JSON() {
		return ecp.Description{}, notEMQX5(ctx, b.client, a)
	}
	return d, nil
}

// detectOpenly detects what can be seen without credentials.
func detectOpenly(ctx context.Context, c *emqxhttp.Client) (ecp.Detection, error) {
	a, err := c.Do(ctx, emqxhttp.Request{Path: nodesPath, NoAuth: true})
	if err != nil {
		return ecp.Detection{}, err
	}
	if a.Status != http.StatusUnauthorized || a.Realm != realm && parseRefusal(a.Body).Code == "" {
		return ecp.Detection{}, notEMQX5(ctx, c, a)
	}
	d := ecp.Detection{Major: 5}
	c.Optional(ctx, "its version", func(ctx context.Context) error {
		a, err := c.Do(ctx, statusRequest(true))
		if err == nil && a.OK() && a.JSON() {
			s, _ := decodeStatus(a.Body)
			d.Version, d.Edition = s.Version, s.Edition
		}
		return err
	})
	return checkManaged(c, d)
}

// checkManaged returns an error for an EMQX 5 that cannot be managed.
func checkManaged(c *emqxhttp.Client, d ecp.Detection) (ecp.Detection, error) {
	if managed.Met(d.Version, d.Edition) {
		return d, nil
	}
	return d, c.NeedError("", d.Version, d.Edition, managed)
}

// notEMQX5 returns the error for a server that does not answer like EMQX 5.
func notEMQX5(ctx context.Context, c *emqxhttp.Client, a emqxhttp.Answer) error {
	switch {
	case starting(a), parseRefusal(a.Body).Message == pathMissing:
		return c.Fail(ecp.CodeUnavailable, "EMQX is still starting, or it is an EMQX of another major: there is no "+
			nodesPath, nil)
	case a.Status/100 == 5, a.Status/100 == 3, a.Status == http.StatusTooManyRequests:
		return c.Refused(a, checks, parseRefusal(a.Body))
	case c.AnswersLikeEMQX(ctx, olderPath):
		return olderMajor(c)
	}
	return c.Fail(ecp.CodeUnsupported, "found no EMQX 5; needed "+managed.String()+"; check the address, and that "+
		"the port is the dashboard's, 18083 as a rule", nil)
}

// statusRequest queries the state of the node, which needs no credentials. The failure of a
// broker that is not up is a final answer.
func statusRequest(inJSON bool) emqxhttp.Request {
	r := emqxhttp.Request{Path: statusPath, NoAuth: true, NoRetry: []int{
		http.StatusNotFound, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout,
	}}
	if inJSON {
		r.Query = url.Values{"format": {"json"}}
	}
	return r
}

// status is the state of a node.
type status struct {
	Node    string
	Version string // empty from 5.8.11, 5.9.3, 5.10.4, 6.0.3, 6.1.2 and 6.2.1 on
	Edition string
	Running bool
}

var errNoStatus = errors.New("it names no node")

// decodeStatus reads /status?format=json. The version begins with "e" for the Enterprise
// edition ("e5.8.9") and with "v" for the open source edition.
func decodeStatus(body []byte) (status, error) {
	var s struct {
		Node    string           `json:"node_name"`
		Broker  emqxhttp.Message `json:"broker_status"` // "started" or "stopped"
		App     emqxhttp.Message `json:"app_status"`    // "running" or "not_running"
		Release emqxhttp.Message `json:"rel_vsn"`
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return status{}, err
	}
	if s.Node == "" {
		return status{}, errNoStatus
	}
	st := status{Node: s.Node, Running: s.Broker == "started" && s.App == "running"}
	if v, ok := ecp.ParseVersion(string(s.Release)); ok {
		st.Version = strings.TrimLeft(string(s.Release), "ve")
		switch {
		case oneEdition.In(v), strings.HasPrefix(string(s.Release), "e"):
			st.Edition = ecp.EditionEnterprise
		case strings.HasPrefix(string(s.Release), "v"):
			st.Edition = ecp.EditionOpenSource
		}
	}
	return st, nil
}
