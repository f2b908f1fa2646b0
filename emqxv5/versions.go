package emqxv5

import (
	"context"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// What differs between the versions and editions, and since when.
var (
	// managed is what can be managed at all.
	managed = emqxhttp.Need{Since: []string{"5.6.0"}, Edition: ecp.EditionEnterprise}
	// oneEdition: from here on there is no open-source edition.
	oneEdition = emqxhttp.Need{Since: []string{"5.9.0"}}
	// limitAtRunTime: the licence's limit can be lowered at run time. Before,
	// the setting is refused as unknown.
	limitAtRunTime = emqxhttp.Need{Since: []string{"5.7.0"}, Edition: ecp.EditionEnterprise}
	// sessionsCount: the limit is one of sessions, those of clients that are
	// away too.
	sessionsCount = emqxhttp.Need{Since: []string{"5.8.5"}}
)

// calls are those that not every broker has.
var calls = []struct {
	prefix string // of their paths
	what   string
	need   emqxhttp.Need
}{
	{settingPath, "settings of the licence", emqxhttp.Need{Edition: ecp.EditionEnterprise}},
	{licensePath, "licences", emqxhttp.Need{Edition: ecp.EditionEnterprise}},
	{rebalancePath, "evacuation", emqxhttp.Need{Edition: ecp.EditionEnterprise}},
}

// lacks gives the error for a call that the broker does not know: unsupported
// where it cannot have it, else unavailable, because every path is unknown
// while EMQX starts.
func (b *broker) lacks(ctx context.Context, a emqxhttp.Answer, said ecp.BrokerError) error {
	for _, c := range calls {
		if !strings.HasPrefix(a.Request.Path, c.prefix) {
			continue
		}
		version, edition, err := b.version(ctx)
		if err != nil {
			return err
		}
		if !c.need.Met(version, edition) {
			return b.client.Lacks(c.what, version, edition, c.need)
		}
	}
	return b.client.RefusedAs(a, ecp.CodeUnavailable, "EMQX is still starting: there is no "+a.Request.Path+" yet; if that stays so, this version does not have it", said)
}

// version gives the version that the whole cluster has, and its edition.
func (b *broker) version(ctx context.Context) (version, edition string, err error) {
	return b.known.What(ctx, b.members)
}

// needs gives an error where the broker is not what is needed.
func (b *broker) needs(ctx context.Context, what string, n emqxhttp.Need) error {
	version, edition, err := b.version(ctx)
	if err == nil && !n.Met(version, edition) {
		err = b.client.Lacks(what, version, edition, n)
	}
	return err
}
