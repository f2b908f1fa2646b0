package emqxv5

import (
	"context"
	"maps"
	"net/http"
	"net/url"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
	"github.com/openecp/openecp/internal/hocon"
)

// configPath is the path of the configuration, or of one of its roots.
const configPath = root + "/configs"

// maxSettings is how many bytes are read of one root.
const maxSettings = 4 << 20

// Settings reads the roots in the form of EMQX's own files. The JSON form has only some of
// them.
func (b *broker) Settings(ctx context.Context, roots []string) (ecp.BrokerSettings, error) {
	for _, word := range roots {
		if word == "" {
			return ecp.BrokerSettings{}, emqxhttp.Invalid("read settings", "roots", "must be first parts of keys, "+
				"e.g. mqtt")
		}
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	all := map[string]any{}
	for _, word := range roots {
		r := emqxhttp.Request{
			Path: configPath, Query: url.Values{"key": {word}}, Accept: "text/plain",
			MaxAnswer: maxSettings, NoRetry: []int{http.StatusNotFound},
		}
		tree, err := b.settingsText(ctx, r)
		switch {
		case ecp.CodeOf(err) == ecp.CodeNotFound: // there is no such root
		case err != nil:
			return ecp.BrokerSettings{}, err
		case tree[word] != nil:
			all[word] = tree[word]
		}
	}
	return ecp.BrokerSettings{InForce: all, Defaults: maps.Clone(defaults)}, nil
}

// settingsText reads one answer. Nothing of it becomes part of an error, since it may
// contain secrets.
func (b *broker) settingsText(ctx context.Context, r emqxhttp.Request) (map[string]any, error) {
	a, err := b.client.Do(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case !a.OK():
		return nil, b.refused(ctx, a)
	}
	text := string(a.Body)
	a.Body = nil
	if a.Type != "text/plain" {
		return nil, b.client.Unreadable(a, errNotIt)
	}
	tree, err := hocon.Read(text)
	if err != nil {
		return nil, b.client.Fail(ecp.CodeUnavailable, "its answer to "+r.String()+" cannot be read", err)
	}
	return tree, nil
}
