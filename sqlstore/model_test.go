package sqlstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/sqlstore"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestLikeMemstore gives a store in a file and one in memory the same random
// transactions: every answer must be the same, also after the file was closed
// and opened again.
func TestLikeMemstore(t *testing.T) { rapid.Check(t, fileLikeMemstore) }

// FuzzLikeMemstore lets the fuzzer choose the transactions.
func FuzzLikeMemstore(f *testing.F) { f.Fuzz(rapid.MakeFuzz(fileLikeMemstore)) }

func fileLikeMemstore(t *rapid.T) { likeMemstore(t, sqlstore.Config{Dir: fastDir(t)}) }

// likeMemstore compares a new database with a store in memory.
func likeMemstore(t *rapid.T, c sqlstore.Config) {
	ctx := context.Background()
	c.Kinds = fleet.Kinds()
	reopen := func() *sqlstore.Store {
		s, err := sqlstore.Open(ctx, c)
		require.NoError(t, err)
		return s
	}
	file, memory := reopen(), memstore.New()
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	t.Repeat(map[string]func(*rapid.T){
		"write": func(t *rapid.T) {
			ops := rapid.SliceOfN(genOp, 1, 6).Draw(t, "ops")
			abort := rapid.IntRange(0, 4).Draw(t, "abort") == 0
			require.Equal(t, runOps(ctx, memory.Write, ops, abort), runOps(ctx, file.Write, ops, abort))
		},
		"read": func(t *rapid.T) {
			ops := rapid.SliceOfN(genOp, 1, 3).Draw(t, "ops")
			require.Equal(t, runOps(ctx, memory.Read, ops, false), runOps(ctx, file.Read, ops, false))
		},
		"changes": func(t *rapid.T) {
			after := int64(rapid.IntRange(0, 40).Draw(t, "after"))
			require.Equal(t, changesNow(ctx, memory, after), changesNow(ctx, file, after))
		},
		"reopen": func(t *rapid.T) {
			require.NoError(t, file.Close())
			file = reopen()
		},
		"": func(t *rapid.T) {
			all := []op{{Do: "seq"}}
			for _, kind := range []ecp.Kind{ecp.KindCluster, ecp.KindOperation} {
				all = append(all, op{Do: "list", Query: ecp.Query{Kind: kind}})
			}
			require.Equal(t, runOps(ctx, memory.Read, all, false), runOps(ctx, file.Read, all, false))
		},
	})
}

// op is one call of a transaction. Few keys and names, so that they meet.
type op struct {
	Do        string // put, delete, get, list, seq
	Payload   ecp.Payload
	IfVersion int64
	Kind      ecp.Kind
	Key       string
	Query     ecp.Query
}

var (
	genKey     = rapid.SampledFrom([]string{"a", "b", "c", "B", "ä", "a'b"})
	genProject = rapid.SampledFrom([]string{"", "o/p", "o/q", "O/p"})
	genName    = rapid.SampledFrom([]string{"", "one", "two", "One", "ein's"})
	genKind    = rapid.SampledFrom([]ecp.Kind{ecp.KindCluster, ecp.KindOperation})
	genPayload = rapid.Custom(func(t *rapid.T) ecp.Payload {
		key, project, name := genKey.Draw(t, "key"), genProject.Draw(t, "project"), genName.Draw(t, "name")
		if genKind.Draw(t, "kind") == ecp.KindOperation {
			return ecp.Operation{ID: ecp.OperationID(key), Project: project, Cluster: ecp.ID(genKey.Draw(t, "parent")),
				Error: rapid.String().Draw(t, "error")}
		}
		return ecp.ClusterRecord{ID: ecp.ID(key), Project: project, Name: name,
			Description: rapid.String().Draw(t, "description")}
	})
	genOp = rapid.Custom(func(t *rapid.T) op {
		o := op{Do: rapid.SampledFrom([]string{"put", "put", "put", "delete", "get", "list", "seq"}).Draw(t, "do")}
		switch o.Do {
		case "put":
			o.Payload = genPayload.Draw(t, "payload")
			o.IfVersion = rapid.SampledFrom([]int64{ecp.AnyVersion, ecp.AnyVersion, 0, 0, 1, 2, 3, 4, 5}).Draw(t,
				"ifVersion")
		case "list":
			o.Query = ecp.Query{
				Kind: genKind.Draw(t, "kind"), Project: genProject.Draw(t, "project"),
				Parent: rapid.SampledFrom([]string{"", "", "a", "b"}).Draw(t, "parent"),
				After:  rapid.SampledFrom([]string{"", "", "a", "aa", "b"}).Draw(t, "after"),
				Limit:  rapid.IntRange(0, 3).Draw(t, "limit"),
			}
		default:
			o.Kind, o.Key = genKind.Draw(t, "kind"), genKey.Draw(t, "key")
		}
		return o
	})
)

var errAbort = errors.New("abort")

// runOps runs calls in one transaction and gives every answer as text. Errors
// of the calls do not end it.
func runOps(ctx context.Context, in func(context.Context, func(ecp.Tx) error) error, ops []op,
	abort bool) (answers []string) {
	err := in(ctx, func(tx ecp.Tx) error {
		answers = nil
		for _, o := range ops {
			answers = append(answers, fmt.Sprint(o.Do, ": ", o.run(tx)))
		}
		if abort {
			return errAbort
		}
		return nil
	})
	return append(answers, says(err))
}

// says gives the class of an error: which of two reasons is told first may
// differ.
func says(err error) string {
	if errors.Is(err, errAbort) {
		return err.Error()
	}
	return string(ecp.CodeOf(err))
}

func (o op) run(tx ecp.Tx) string {
	var err error
	switch o.Do {
	case "put":
		err = ecp.Put(tx, o.Payload, o.IfVersion)
	case "delete":
		err = tx.Delete(o.Kind, o.Key)
	case "get":
		var r ecp.Record
		if r, err = tx.Get(o.Kind, o.Key); err == nil {
			return show(r)
		}
	case "list":
		out := ""
		for r, err := range tx.List(o.Query) {
			out += show(r) + says(err) + "; "
		}
		return out
	case "seq":
		var n int64
		n, err = tx.Seq()
		return fmt.Sprint(n, says(err))
	}
	return says(err)
}

// show prints a record without its time.
func show(r ecp.Record) string {
	b, err := json.Marshal(r.Payload)
	return fmt.Sprintf("%s %q %+v version %d %s %v", r.Kind, r.Key, r.Index, r.Version, b, err)
}

// changesNow gives the changes there are behind a position.
func changesNow(ctx context.Context, s ecp.Store, after int64) (out []string) {
	var last int64
	if err := s.Read(ctx, func(tx ecp.Tx) (err error) { last, err = tx.Seq(); return err }); err != nil ||
		after == last {
		return []string{says(err)}
	}
	for c, err := range s.Changes(ctx, after) {
		if err != nil {
			return append(out, says(err))
		}
		out = append(out, fmt.Sprint(c.Seq, c.Deleted, " ",
			show(ecp.Record{Kind: c.Kind, Key: c.Key, Index: c.Index, Payload: c.Payload})))
		if c.Seq >= last {
			break
		}
	}
	return out
}
