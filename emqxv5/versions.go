package emqxv5

import (
	"context"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// The differences between versions and editions.
var (
	// managed is met by every EMQX that can be managed.
	managed = emqxhttp.Need{Since: []string{"5.6.0"}, Edition: ecp.EditionEnterprise}
	// oneEdition is met if there is no open source edition any more.
	oneEdition = emqxhttp.Need{Since: []string{"5.9.0"}}
	// limitAtRunTime is met if the license's limit can be lowered at run time. Earlier
	// versions refuse the setting as unknown.
	limitAtRunTime = emqxhttp.Need{Since: []string{"5.7.0"}, Edition: ecp.EditionEnterprise}
	// sessionsCount is met if the limit counts sessions, including those of clients that
	// are away.
	sessionsCount = emqxhttp.Need{Since: []string{"5.8.5"}}
)

// calls are the calls that not every broker has.
var calls = []struct {
	prefix string // of their paths
	what   string
	need   emqxhttp.Need
}{
	{settingPath, "settings of the license", emqxhttp.Need{Edition: ecp.EditionEnterprise}},
	{licensePath, "licenses", emqxhttp.Need{Edition: ecp.EditionEnterprise}},
	{rebalancePath, "evacuation", emqxhttp.Need{Edition: ecp.EditionEnterprise}},
}

// unknownPathError returns the error for an unknown path: unsupported if the broker cannot
// have the call, else unavailable, since every path is unknown while EMQX starts.
func (b *broker) unknownPathError(ctx context.Context, a emqxhttp.Answer, said ecp.BrokerError) error {
	for _, c := range calls {
		if !strings.HasPrefix(a.Request.Path, c.prefix) {
			continue
		}
		version, edition, err := b.version(ctx)
		if err != nil {
			return err
		}
		if !c.need.Met(version, edition) {
			return b.client.NeedError(c.what, version, edition, c.need)
		}
	}
	return b.client.RefusedAs(a, ecp.CodeUnavailable, "EMQX is still starting: there is no "+a.Request.Path+
		" yet; if that stays so, this version does not have it", said)
}

// version returns the version that the whole cluster has, and its edition.
func (b *broker) version(ctx context.Context) (version, edition string, err error) {
	return b.known.Get(ctx, b.members)
}

// require returns an error if the broker does not meet a need.
func (b *broker) require(ctx context.Context, what string, n emqxhttp.Need) error {
	version, edition, err := b.version(ctx)
	if err == nil && !n.Met(version, edition) {
		err = b.client.NeedError(what, version, edition, n)
	}
	return err
}
