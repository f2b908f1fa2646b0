package emqxv4

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// Config tunes an adapter. The zero value is good.
type Config struct {
	// Timeout bounds one call of a broker with all its requests and
	// repetitions; 0 = 10 s.
	Timeout time.Duration
	// Logger gets what a call succeeded without, at debug; nil = silent.
	Logger *slog.Logger
}

// New gives the adapter for EMQX 4.4. It starts nothing and may be used for any
// number of endpoints at once.
func New(c Config) ecp.Adapter {
	return emqxhttp.Adapter{
		Of: 4, Config: emqxhttp.Config{Name: "EMQX 4", Timeout: c.Timeout, Logger: c.Logger},
		Broker: func(c *emqxhttp.Client) ecp.Broker { return &broker{c} },
	}
}

type broker struct{ client *emqxhttp.Client }

// Close gives back idle connections of a transport of our own.
func (b *broker) Close() { b.client.Close() }

// Describe asks for the members; and for counters, licence and the answering
// node's name as far as they matter and the broker has them.
func (b *broker) Describe(ctx context.Context) (ecp.Description, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	members, err := emqxhttp.Ask(ctx, b.client, emqxhttp.Request{Path: nodesPath}, b.payload, decodeMembers)
	if err != nil {
		return ecp.Description{}, err
	}
	var d ecp.Description
	counted := b.counters(ctx, members)
	for _, m := range members {
		d.Nodes = append(d.Nodes, m.node(counted[m.name()]))
	}
	b.client.Optional(ctx, "its licence", func(ctx context.Context) (err error) {
		d.Edition, d.Limit, err = b.license(ctx)
		return err
	})
	return b.client.Complete(ctx, d, b.self)
}

// counters gives the counters of each node where the members' list lacks them.
func (b *broker) counters(ctx context.Context, members []member) (found map[string]counters) {
	if !slices.ContainsFunc(members, member.uncounted) {
		return nil
	}
	b.client.Optional(ctx, "its counters", func(ctx context.Context) (err error) {
		found, err = emqxhttp.Ask(ctx, b.client, emqxhttp.Request{Path: statsPath}, b.payload, decodeStats)
		return err
	})
	return found
}

// license gives edition and limit. Only the enterprise edition has the call;
// where it is missing, the broker's description of itself decides.
func (b *broker) license(ctx context.Context) (edition string, limit int, err error) {
	a, err := b.client.Get(ctx, licensePath)
	if err != nil {
		return "", 0, err
	}
	if a.Status == http.StatusNotFound {
		edition, err = emqxhttp.Ask(ctx, b.client, emqxhttp.Request{Path: brokersPath}, b.payload, decodeEdition)
		return edition, 0, err
	}
	data, err := b.payload(ctx, a)
	if err != nil {
		return "", 0, err
	}
	if limit, err = decodeLicense(data); err != nil {
		return "", 0, b.client.Unreadable(a, err)
	}
	return "enterprise", limit, nil
}

// self gives the name of the node that answers. The call is on port 8081 only,
// and its answer is no JSON.
func (b *broker) self(ctx context.Context) (string, error) {
	a, err := b.client.Get(ctx, statusPath)
	if err != nil {
		return "", err
	}
	return decodeStatus(a.Body), nil
}
