package sqlstore_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// asBefore are the records of a license, its secret and their audit as version 1 of the
// tables had them, and a cluster that has the license.
const asBefore = `
CREATE TEMP TABLE older AS SELECT * FROM records;
INSERT INTO older VALUES
	('licence', 'main', '', '', '', '', 1, 1, '{"name":"main","format":"v5","default":true,"contentSet":true,"revision":1}'),
	('secret', 'licence/main/content', '', '', '', '', 2, 1, '{"kind":"licence","key":"main","field":"content","sealed":"a licence"}'),
	('secret', 'registry/licence/password', '', '', '', '', 3, 1, '{"kind":"registry","key":"licence","field":"password","sealed":"s"}'),
	('audit', '1', '', '', 'licence/main', 'done', 4, 1, '{"id":"1","at":"2026-11-29T15:26:26Z","kind":"licence","key":"main","why":"a licence"}'),
	('audit', '2', '', '', 'secret/licence/main/content', 'done', 5, 1, '{"id":"2","at":"2026-11-29T15:26:26Z","kind":"secret","key":"licence/main/content"}'),
	('audit', '3', '', '', 'size/licence', 'done', 6, 1, '{"id":"3","at":"2026-11-29T15:26:26Z","kind":"size","key":"licence"}'),
	('cluster', 'emqx-1', 'a/b', 'c', '', 'running', 7, 1, '{"id":"emqx-1","resolved":{"licence":"main","lbProfile":"large"}}');
INSERT INTO records SELECT * FROM older;
INSERT INTO changes SELECT version, at, kind, key, project, name, parent, state, 0, payload FROM older;
DELETE FROM goose_db_version WHERE version_id > 1;
`

func TestLicensesOfEarlierDatabase(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, openIn(t, dir).Close())
	execIn(t, filepath.Join(dir, "ecpd.db"), asBefore)
	s := openIn(t, dir)
	want := map[string]string{
		"license main":                        `{"name":"main","format":"v5","default":true,"contentSet":true,"revision":1}`,
		"secret license/main/content":         `{"kind":"license","key":"main","field":"content","sealed":"a licence"}`,
		"secret registry/licence/password":    `{"kind":"registry","key":"licence","field":"password","sealed":"s"}`,
		"audit 1 license/main":                `"kind":"license","key":"main","scope":"","outcome":"","why":"a licence"}`,
		"audit 2 secret/license/main/content": `"kind":"secret","key":"license/main/content"`,
		"audit 3 size/licence":                `"kind":"size","key":"licence"`,
		"cluster emqx-1":                      `"license":"main","lbProfile":"large"`,
	}
	name := func(kind ecp.Kind, key string, i ecp.Index) string {
		if i.Parent != "" {
			return string(kind) + " " + key + " " + i.Parent
		}
		return string(kind) + " " + key
	}
	requireThere := func(name string, p ecp.Payload) {
		text, err := json.Marshal(p)
		require.NoError(t, err)
		require.Contains(t, want, name)
		require.Contains(t, string(text), want[name], name)
	}
	found := 0
	require.NoError(t, s.Read(t.Context(), func(tx ecp.Tx) error {
		found = 0
		for _, kind := range []ecp.Kind{ecp.KindLicense, ecp.KindSecret, ecp.KindAudit, ecp.KindCluster} {
			for r, err := range tx.List(ecp.Query{Kind: kind}) {
				if err != nil {
					return err
				}
				requireThere(name(r.Kind, r.Key, r.Index), r.Payload)
				of, key, index := r.Payload.Describe()
				require.Equal(t, []any{r.Kind, r.Key, r.Index.Parent}, []any{of, key, index.Parent})
				found++
			}
		}
		return nil
	}))
	require.Equal(t, len(want), found)
	for c, err := range s.Changes(t.Context(), 0) {
		require.NoError(t, err)
		requireThere(name(c.Kind, c.Key, c.Index), c.Payload)
		if found--; found == 0 {
			break
		}
	}
}
