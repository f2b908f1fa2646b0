package emqxsim

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"time"
)

// What can be left out of an export.
var tableSets = strings.Fields("banned builtin_authn builtin_authz builtin_retainer dashboard_users api_keys psk")

func (b *backup) show() obj {
	return obj{
		"filename": b.name, "node": b.node, "size": len(b.content),
		"created_at": seconds3339(b.made), "created_at_sec": b.made.Unix(),
	}
}

func export5(q *request) answer {
	in, bad := q.optional("root.", []input{{name: "table_sets", ok: isNames}, {name: "root_keys", ok: isNames}})
	if bad != nil {
		return *bad
	}
	for _, set := range in.names("table_sets") {
		if !slices.Contains(tableSets, set) {
			return bad5("Invalid table sets: " + set)
		}
	}
	name := "emqx-export-" + q.now.UTC().Format("2006-01-02-15-04-05.000")
	for at := q.now; q.backup(name+".tar.gz", "") != nil; at = at.Add(time.Millisecond) { // the clock stands still
		name = "emqx-export-" + at.UTC().Format("2006-01-02-15-04-05.000")
	}
	b := backup{name: name + ".tar.gz", node: q.n.name, made: q.now, content: q.archive(name)}
	q.db.backups = slices.Insert(q.db.backups, 0, b)
	return asJSON(b.show())
}

// archive packs what the cluster is configured to be. Its tables are empty.
func (q *request) archive(name string) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	var conf strings.Builder
	hocon(&conf, q.whole(), "")
	rules := []any{}
	for _, r := range q.db.rules {
		rules = append(rules, rule5(q, r))
	}
	saved, err := json.Marshal(rules)
	if err != nil {
		panic(err) // made of maps and strings
	}
	for _, f := range [][2]string{
		{"META.hocon", fmt.Sprintf("edition = ee\nversion = %q\n", q.n.version)}, {"cluster.hocon", conf.String()}, {"rules.json", string(saved)},
	} {
		// Writing to memory does not fail.
		_ = w.WriteHeader(&tar.Header{Name: name + "/" + f[0], Mode: 0o644, Size: int64(len(f[1])), ModTime: q.now})
		_, _ = w.Write([]byte(f[1]))
	}
	_ = w.Close()
	_ = z.Close()
	return out.Bytes()
}

// backup finds a file on a node; "" = on any.
func (q *request) backup(name, node string) *backup {
	i := slices.IndexFunc(q.db.backups, func(b backup) bool { return b.name == name && (node == "" || b.node == node) })
	if i < 0 {
		return nil
	}
	return &q.db.backups[i]
}

// file finds that of the path on the node that the query names.
func (q *request) file() (*backup, *answer) {
	node := q.URL.Query().Get("node")
	if node == "" {
		node = q.n.name
	}
	if !slices.Contains(nodeNames(q.n.visible(q.now)), node) {
		a := bad5("Unknown node: " + node)
		return nil, &a
	}
	b := q.backup(q.params["filename"], node)
	if b == nil {
		a := notFound5("backup file not found")
		return nil, &a
	}
	return b, nil
}

func files5(q *request) answer {
	return paged(q, q.db.backups, func(b backup) any { return b.show() })
}

func download5(q *request) answer {
	b, bad := q.file()
	if bad != nil {
		return *bad
	}
	return answer{contentType: "application/octet-stream", body: string(b.content)}
}

func deleteFile5(q *request) answer {
	b, bad := q.file()
	if bad != nil {
		return *bad
	}
	q.db.backups = slices.DeleteFunc(q.db.backups, func(o backup) bool { return o.name == b.name && o.node == b.node })
	return empty(http.StatusNoContent)
}

func upload5(q *request) answer {
	_, params, _ := strings.Cut(q.Header.Get("Content-Type"), "boundary=")
	part, err := multipart.NewReader(bytes.NewReader(q.body), strings.Trim(params, `"`)).NextPart()
	if err != nil || part.FormName() != "filename" {
		return bad5("Invalid form data: no filename") // not recorded
	}
	content, err := io.ReadAll(part)
	if err != nil {
		return bad5("Unexpected end of file")
	}
	name := part.FileName()
	if q.backup(name, q.n.name) != nil {
		return bad5(fmt.Sprintf("Backup file %q already exists", name))
	}
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err == nil {
		_, err = tar.NewReader(z).Next()
	}
	if err != nil {
		return bad5("Unexpected end of file")
	}
	q.db.backups = slices.Insert(q.db.backups, 0, backup{name: name, node: q.n.name, made: q.now, content: content})
	return empty(http.StatusNoContent)
}

// import5 takes an archive for good; what the cluster holds stays as it is.
func import5(q *request) answer {
	in, bad := q.object("root.", []input{
		{name: "filename", required: true, expected: "binary()", ok: isString}, {name: "node", expected: "binary()", ok: isString},
	})
	if bad != nil {
		return *bad
	}
	node := in.text("node")
	if node != "" && !slices.Contains(nodeNames(q.n.visible(q.now)), node) {
		return bad5("Unknown node: " + node)
	}
	if q.backup(in.text("filename"), node) == nil {
		return bad5("backup file not found")
	}
	return empty(http.StatusNoContent)
}
