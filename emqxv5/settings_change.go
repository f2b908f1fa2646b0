package emqxv5

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
	"github.com/openecp/openecp/internal/hocon"
)

// ChangeSettings sends the whole roots that the settings are in, as the node that answers has them, with the changes
// made. EMQX fills what is left out of a root with its own defaults before it merges it with what is in force, so that
// a part alone would undo every other change of that root; and a setting that is left out is reset in the same way.
//
// The node that takes the call checks all roots against the schema and, if they pass, lets each member of the cluster
// make the change in one transaction (emqx_conf_cli:load_config, emqx_cluster_rpc): what is refused reaches no node.
func (b *broker) ChangeSettings(ctx context.Context, set map[string]string, reset []string) error {
	ctx, cancel := b.client.BoundBy(ctx, 2)
	defer cancel()
	keys := append(slices.Sorted(maps.Keys(set)), reset...)
	var roots []string
	for _, key := range keys {
		word, rest, _ := strings.Cut(key, ".")
		if word == "" || rest == "" {
			return emqxhttp.Invalid("change settings", "settings", "must have whole keys, e.g. mqtt.max_packet_size")
		}
		roots = append(roots, word)
	}
	slices.Sort(roots)
	now, err := b.Settings(ctx, slices.Compact(roots))
	if err != nil || len(keys) == 0 {
		return err
	}
	for _, key := range keys {
		value, is := set[key]
		if !is {
			removeAt(now.InForce, strings.Split(key, "."))
			continue
		}
		tree, err := hocon.Read("v = " + hocon.Value(value))
		if err != nil {
			return emqxhttp.Invalid("change settings", key, "has a value that EMQX cannot read")
		}
		putAt(now.InForce, strings.Split(key, "."), tree["v"])
	}
	a, err := b.client.Do(ctx, emqxhttp.Request{
		Method: http.MethodPut, Path: configPath, Query: url.Values{"mode": {"merge"}}, Text: hocon.Tree(now.InForce),
		Accept: "*/*", NoRetry: []int{http.StatusInternalServerError},
	})
	if err != nil || a.OK() {
		return err
	}
	if words := settingRefusal(a); words != "" {
		a.Body = nil // it may have the values of other settings
		return b.client.RefusedAs(a, ecp.CodeInvalid, "", ecp.BrokerError{Message: words})
	}
	return b.refused(ctx, a)
}

// settingRefusal returns EMQX's words about settings that it refuses, or nothing if the answer is none of the known
// forms: an object of errors as plain text, or a crash of the check itself, with the calls that led there.
func settingRefusal(a emqxhttp.Answer) string {
	var said struct {
		Errors  json.RawMessage `json:"errors"`
		Message string          `json:"message"`
	}
	if json.Unmarshal(a.Body, &said) != nil {
		return ""
	}
	switch {
	case a.Status == http.StatusBadRequest && len(said.Errors) > 0:
		var text string
		if json.Unmarshal(said.Errors, &text) != nil {
			return string(said.Errors)
		}
		// Before its reason EMQX prints the whole root, as it is and as it was to be.
		if _, reason, found := strings.Cut(text, "Reason: "); found {
			return reason
		}
		return text
	case a.Status == http.StatusInternalServerError && strings.Contains(said.Message, "validation_error"):
		words, _, _ := strings.Cut(strings.TrimPrefix(said.Message, "throw, "), ", [{")
		return words
	}
	return ""
}

// putAt sets the value at the words of a key. Objects are merged, as in EMQX's own files.
func putAt(tree map[string]any, words []string, value any) {
	for len(words) > 1 {
		inner, is := tree[words[0]].(map[string]any)
		if !is {
			inner = map[string]any{}
			tree[words[0]] = inner
		}
		tree, words = inner, words[1:]
	}
	object, is := value.(map[string]any)
	if _, had := tree[words[0]].(map[string]any); !is || !had {
		tree[words[0]] = value
		return
	}
	for _, word := range slices.Sorted(maps.Keys(object)) {
		putAt(tree, []string{words[0], word}, object[word])
	}
}

func removeAt(tree map[string]any, words []string) {
	for len(words) > 1 {
		inner, is := tree[words[0]].(map[string]any)
		if !is {
			return
		}
		tree, words = inner, words[1:]
	}
	delete(tree, words[0])
}
