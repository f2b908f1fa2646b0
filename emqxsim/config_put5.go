package emqxsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/openecp/openecp/internal/hocon"
)

// readOnly5 are roots that no call changes.
var readOnly5 = []string{"cluster", "node", "rpc"}

// putConfig5 merges roots into those in force, after all of them have been checked. What a root in the body leaves out
// gets EMQX's own value, as in emqx_conf_cli:check_config: the merge is with the whole root.
func putConfig5(q *request) answer {
	given, err := hocon.Read(string(q.body))
	if err != nil {
		return errors5(obj{"reason": "syntax error", "type": "parse_error"}) // the words are not recorded
	}
	roots := slices.Sorted(maps.Keys(given))
	for _, word := range roots {
		if slices.Contains(readOnly5, word) {
			return errors5("Cannot update read-only key '" + strings.Join(roots, ",") + "'.")
		}
	}
	own := withDefaults(fileOnly5(q), configs5(q))
	known := withDefaults(own, hidden5(q))
	for _, word := range roots {
		if own[word] == nil {
			return crashed5(fmt.Sprintf(`throw, {emqx_enterprise_schema,[#{kind => validation_error,`+
				`reason => unknown_fields,unknown => %q}]}`, word)) // not recorded
		}
		if a := checkSettings5(word, given[word], known[word]); a != nil {
			return *a
		}
	}
	all := q.fullConfig()
	for _, word := range roots {
		was, _ := asObject(all[word])
		fill, _ := asObject(own[word])
		change, _ := asObject(given[word])
		q.store(word, withDefaults(was, withDefaults(fill, change)))
		q.n.logEvent(q.now, configChanges, "root", word)
	}
	return asText(http.StatusOK, "")
}

// hidden5 are settings that EMQX knows and shows nobody before they are set.
func hidden5(q *request) obj {
	if atLeast(q.n.version, 6, 1, 0) {
		return obj{}
	}
	return obj{"sysmon": obj{"top": obj{
		"db_hostname": "", "db_name": "postgres", "db_password": "public", "db_port": 5432,
		"db_username": "system_monitor", "num_items": 10, "sample_interval": "2s",
	}}}
}

func errors5(errors any) answer {
	a := jsonWith(http.StatusBadRequest, obj{"errors": errors})
	a.contentType = "text/plain"
	return a
}

// crashed5 is the answer of a broker whose check has crashed. The recorded words go on with the calls.
func crashed5(words string) answer {
	return fail5(http.StatusInternalServerError, "INTERNAL_ERROR",
		words+`, [{hocon_tconf,assert,2,[{file,"/opt/emqx"},{line,1237}]}]`)
}

// namedByUsers are objects that have the keys that users give them.
var namedByUsers = []string{"listeners", "log.file", "mqtt.mqueue_priorities"}

// checkSettings5 compares settings with EMQX's own values: names must be known, and values of the same kind.
func checkSettings5(at string, given, own any) *answer {
	object, is := asObject(given)
	known, has := asObject(own)
	switch {
	case slices.Contains(namedByUsers, at):
		return nil
	case is && has:
		for _, word := range slices.Sorted(maps.Keys(object)) {
			if _, is := known[word]; is {
				if a := checkSettings5(at+"."+word, object[word], known[word]); a != nil {
					return a
				}
				continue
			}
			rest := slices.DeleteFunc(slices.Sorted(maps.Keys(known)), func(k string) bool { return object[k] != nil })
			if len(rest) > 2 {
				rest = append(rest[:2], "...")
			}
			a := crashed5(fmt.Sprintf(`throw, {emqx_enterprise_schema,[#{kind => validation_error,path => %q,`+
				`reason => unknown_fields,unknown => %q,unmatched => %q}]}`, at, word, strings.Join(rest, ",")))
			return &a
		}
		return nil
	case is != has || !sameKind5(own, given):
		root, _, _ := strings.Cut(at, ".")
		a := errors5(obj{root: obj{"kind": "validation_error", "path": at, "reason": "unable to convert to " +
			kind5(own), "value": given}}) // the words are not recorded
		return &a
	}
	return nil
}

func sameKind5(own, given any) bool {
	want, is := kind5(own), kind5(given)
	return want == "" || want == is || anyOf5[fmt.Sprint(given)] || is == "number" && kinds5[want] != nil
}

// anyOf5 are words that EMQX takes beside values of a kind.
var anyOf5 = map[string]bool{"infinity": true, "disabled": true}

var kinds5 = map[string]*regexp.Regexp{
	"duration": regexp.MustCompile(`^([0-9]+(ms|s|m|h|d|w))+$`),
	"bytesize": regexp.MustCompile(`^[0-9]+([kKmMgG][bB])?$`),
	"percent":  regexp.MustCompile(`^[0-9.]+%$`),
	"rate":     regexp.MustCompile(`^[0-9]+([kKmMgG][bB])?/[0-9]*(ms|s|m|h|d)$`),
}

// kind5 is what kind of value one is; empty means any.
func kind5(v any) string {
	switch v := v.(type) {
	case bool:
		return "boolean"
	case int, float64, json.Number:
		return "number"
	case string:
		for kind, form := range kinds5 {
			if form.MatchString(v) {
				return kind
			}
		}
		if anyOf5[v] || v == "" {
			return ""
		}
		return "text"
	}
	return ""
}
