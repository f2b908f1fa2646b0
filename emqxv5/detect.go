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

// realm is what EMQX 5 asks credentials for.
const realm = "emqx-dashboard"

// detect says what answers, with the credentials where there are some. What
// they are refused for is then told all the same, as to everybody.
func detect(ctx context.Context, c *emqxhttp.Client, login bool) (ecp.Detection, error) {
	if !login {
		return detectOpenly(ctx, c)
	}
	b := &broker{client: c}
	d, err := emqxhttp.Hedged(ctx, b.detected, b.eachMember)
	if err == nil {
		return found(c, ecp.Detection{Major: 5, Version: emqxhttp.LowestRunning(d), Edition: d.Edition, Authenticated: true})
	}
	if !errors.Is(err, ecp.ErrDenied) {
		return ecp.Detection{}, err
	}
	known, openly := detectOpenly(ctx, c)
	if known.Major == 0 && openly != nil { // something else refuses
		return known, openly
	}
	return known, err
}

// detected asks for the members of what may be something else.
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
		return ecp.Description{}, stranger(ctx, b.client, a)
	}
	return d, nil
}

// detectOpenly says what the broker tells everybody.
func detectOpenly(ctx context.Context, c *emqxhttp.Client) (ecp.Detection, error) {
	a, err := c.Do(ctx, emqxhttp.Request{Path: nodesPath, Open: true})
	if err != nil {
		return ecp.Detection{}, err
	}
	if a.Status != http.StatusUnauthorized || a.Realm != realm && said(a.Body).Code == "" {
		return ecp.Detection{}, stranger(ctx, c, a)
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
	return found(c, d)
}

// found gives the error for an EMQX 5 that cannot be managed.
func found(c *emqxhttp.Client, d ecp.Detection) (ecp.Detection, error) {
	if managed.Met(d.Version, d.Edition) {
		return d, nil
	}
	return d, c.Lacks("", d.Version, d.Edition, managed)
}

// stranger gives the error for what does not answer like EMQX 5.
func stranger(ctx context.Context, c *emqxhttp.Client, a emqxhttp.Answer) error {
	switch {
	case starting(a), said(a.Body).Message == pathMissing:
		return c.Fail(ecp.CodeUnavailable, "EMQX is still starting, or it is an EMQX of another major: there is no "+nodesPath, nil)
	case a.Status/100 == 5, a.Status/100 == 3, a.Status == http.StatusTooManyRequests:
		return c.Refused(a, checks, said(a.Body))
	case c.Speaks(ctx, olderPath):
		return older(c)
	}
	return c.Fail(ecp.CodeUnsupported, "found no EMQX 5; needed "+managed.String()+"; check the address, and that the port is the dashboard's, 18083 as a rule", nil)
}

// statusRequest asks, as everybody may, how the node is. A broker that is not
// up answers with a failure, which is worth knowing at once.
func statusRequest(inJSON bool) emqxhttp.Request {
	r := emqxhttp.Request{Path: statusPath, Open: true, Answers: []int{
		http.StatusNotFound, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	}}
	if inJSON {
		r.Query = url.Values{"format": {"json"}}
	}
	return r
}

// status is what a node says of itself to everybody.
type status struct {
	Node    string
	Version string // "" = not told, as from 5.8.11, 5.9.3, 5.10.4, 6.0.3, 6.1.2 and 6.2.1 on
	Edition string
	Running bool
}

var errNoStatus = errors.New("it names no node")

// decodeStatus reads /status?format=json. The version is a release's name:
// "e5.8.9" is the enterprise edition, "v5.8.9" the open-source one.
func decodeStatus(body []byte) (status, error) {
	var s struct {
		Node    string         `json:"node_name"`
		Broker  emqxhttp.Words `json:"broker_status"` // "started" or "stopped"
		App     emqxhttp.Words `json:"app_status"`    // "running" or "not_running"
		Release emqxhttp.Words `json:"rel_vsn"`
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
