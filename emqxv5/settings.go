package emqxv5

import (
	"context"
	"maps"
	"net/http"
	"net/url"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// configPath is that of the configuration: of it all, or of what is below one word.
const configPath = root + "/configs"

// mostSettings is how many bytes are read of what is below one word.
const mostSettings = 4 << 20

// Settings asks for what is below each word in the form of EMQX' own files: the
// other one has a few parts only.
func (b *broker) Settings(ctx context.Context, roots []string) (ecp.BrokerSettings, error) {
	for _, word := range roots {
		if word == "" {
			return ecp.BrokerSettings{}, invalid("read settings", "roots", "must be first words of keys, e.g. mqtt")
		}
	}
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	all := map[string]any{}
	for _, word := range roots {
		r := emqxhttp.Request{Path: configPath, Query: url.Values{"key": {word}}, Accept: "text/plain", Most: mostSettings, Answers: []int{http.StatusNotFound}}
		tree, err := b.settingsText(ctx, r)
		switch {
		case ecp.CodeOf(err) == ecp.CodeNotFound: // there is no such word
		case err != nil:
			return ecp.BrokerSettings{}, err
		case tree[word] != nil:
			all[word] = tree[word]
		}
	}
	return ecp.BrokerSettings{InForce: all, Defaults: maps.Clone(defaults)}, nil
}

// settingsText reads one answer. Nothing of it gets into an error: it may hold
// secrets.
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
	tree, err := readHOCON(text)
	if err != nil {
		return nil, b.client.Fail(ecp.CodeUnavailable, "its answer to "+r.String()+" cannot be read", err)
	}
	return tree, nil
}
