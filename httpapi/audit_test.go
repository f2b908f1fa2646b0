package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp/change"
	"github.com/stretchr/testify/require"
)

// Every change is in the audit, with who, what and how; the export is the list
// without pages.
func TestAuditOverHTTP(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	id := f.serve(asAdmin, http.MethodPost, clustersPath, hostedBody, nil).want(http.StatusAccepted).cluster().ID
	for i := range 6 {
		f.serve(asAdmin, http.MethodPatch, clustersPath+"/"+id, fmt.Sprintf(`{"description":"d%d"}`, i), nil).
			want(http.StatusOK)
	}
	f.serve(asUser, http.MethodDelete, clustersPath+"/"+id, "", nil).want(http.StatusForbidden)

	var all []change.AuditEntry
	query := "kind=cluster&key=" + id
	for cursor := ""; ; {
		var p page[change.AuditEntry]
		f.admin(http.MethodGet, "/api/v1/audit?limit=3&"+query+"&cursor="+url.QueryEscape(cursor), "").
			want(http.StatusOK).
			into(&p)
		all = append(all, p.Items...)
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	require.Len(t, all, 8)
	require.Equal(t, []string{"token:uma", "delete", "denied"},
		[]string{all[0].Actor, all[0].Action, string(all[0].Outcome)})
	require.Equal(t, []string{"token:ann", "create", "done"},
		[]string{all[7].Actor, all[7].Action, string(all[7].Outcome)})
	require.Equal(t, []change.AuditChange{{Path: "/description", Before: `"d4"`, After: `"d5"`}}, all[1].Changes)
	require.Equal(t, "192.0.2.1", all[1].RemoteAddress) // as httptest says

	export := f.admin(http.MethodGet, "/api/v1/audit/export?"+query, "").want(http.StatusOK)
	require.Equal(t, "application/x-ndjson", export.header.Get("Content-Type"))
	var lines []change.AuditEntry
	for line := range bytes.Lines(export.body) {
		var e change.AuditEntry
		require.NoError(t, json.Unmarshal(line, &e))
		lines = append(lines, e)
	}
	require.Equal(t, all, lines)

	for filter, n := range map[string]int{
		"&outcome=denied": 1, "&actor=token:ann": 7, "&scope=default": 8, "&scope=other": 0,
		"&since=" + time.Now().Add(time.Hour).UTC().Format(time.RFC3339): 0,
		"&until=" + time.Now().Add(time.Hour).UTC().Format(time.RFC3339): 8,
	} {
		body := f.admin(http.MethodGet, "/api/v1/audit/export?"+query+filter, "").want(http.StatusOK).body
		require.Equal(t, n, bytes.Count(body, []byte("\n")), filter)
	}
}
