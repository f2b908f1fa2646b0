package change_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/memstore"
)

// A change with its entry in the audit, in one transaction.
func Example() {
	w := change.New(memstore.New(), slog.New(slog.DiscardHandler), time.Now)
	ctx := ecp.WithActor(context.Background(), ecp.System)

	q := change.Request{Op: "create organisation", Action: "create", Kind: ecp.KindOrg, Asked: "acme"}
	org, err := change.Submit(ctx, w, q, func(tx *change.Tx) (ecp.Org, error) {
		if err := tx.Permit(ecp.RightAdmin, ""); err != nil {
			return ecp.Org{}, err
		}
		o := ecp.Org{Name: "acme", CreatedAt: tx.Now, Revision: 1}
		tx.Note(o.Name, o.Name, nil, o)
		return o, ecp.Put(tx, o, 0)
	})
	fmt.Println(org.Name, err)

	page, err := w.Audit(ctx, change.AuditOptions{Scope: "acme"})
	for _, e := range page.Items {
		fmt.Println(e.Actor, e.Action, e.Kind, e.Key, e.Outcome)
	}
	fmt.Println(err)
	// Output:
	// acme <nil>
	// system create org acme done
	// <nil>
}
