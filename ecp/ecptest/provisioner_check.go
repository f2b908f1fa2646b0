package ecptest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// checkCases: what is known of a change before it is made, and volumes that grow.
var checkCases = []provisionerCase{
	{name: "a check changes nothing", test: checking},
	{
		name:  "a check says what the platform will never take",
		hook:  "Refused",
		given: func(s ProvisionerSuite) bool { return s.Refused != nil },
		test:  checkRefused,
	},
	{
		name:  "volumes grow and never shrink",
		hook:  "LargerVolume",
		given: func(s ProvisionerSuite) bool { return s.LargerVolume != "" },
		test:  growing,
	},
}

func (b *bench) checker() ecp.Checker {
	c, ok := b.p.(ecp.Checker)
	if !ok {
		b.Skip("it is no ecp.Checker")
	}
	return c
}

// checking is of a cluster that is not there, then of one that is.
func checking(b *bench) {
	c := b.checker()
	d := b.desired(b.suite.Nodes)
	check := func(when string) {
		b.Helper()
		b.until("checked "+when, func(ctx context.Context) string {
			if err := c.Check(ctx, d); err != nil {
				return describeErr("Check", err)
			}
			return ""
		})
	}
	check("before it is made")
	b.seen("nothing is there", func(o ecp.Observation) string {
		if o.Exists {
			return "it exists"
		}
		return ""
	})
	d, before := b.create(b.suite.Nodes)
	d.Create = false
	writes := b.writes()
	check("as it is")
	d.Generation, d.Replicas, d.Spec.Nodes, d.Spec.Connections, d.Size.CPU.Request = 2, d.Replicas+1, d.Spec.Nodes+
		1, 200, "150m"
	check("with another spec")
	if now := b.writes(); now != writes {
		b.Errorf("a check wrote %d times", now-writes)
	}
	b.same(identity(before, true), identity(b.seen("as before", running(b.suite.Nodes)), true))
}

// checkRefused holds a refusal to what Apply says later.
func checkRefused(b *bench) {
	c := b.checker()
	d := b.desired(1)
	b.suite.Refused(&d, false)
	b.apply(d)
	b.seen("running", running(1))
	d.Create = false
	wrong := d
	b.suite.Refused(&wrong, true)
	wrong.Generation = 2
	writes := b.writes()
	for range 2 {
		err := c.Check(b.Context(), wrong)
		var own *ecp.Error
		r := ecp.RefusalOf(err)
		if !errors.Is(err, ecp.ErrInvalid) || r == nil || r.What == "" || r.Why == "" || !errors.As(err,
			&own) || len(own.Fields) == 0 || !strings.HasPrefix(own.Fields[0].Field, "spec.") {
			b.Fatalf("Check gave %v with the refusal %+v; want an invalid error with it and the field", err, r)
		}
		if !strings.Contains(ecp.MessageOf(err), r.Why) {
			b.Errorf("Check gave %v, which lacks %q", err, r.Why)
		}
	}
	if err := c.Check(b.Context(), d); err != nil {
		b.Errorf("what is there would be refused: %v", err)
	}
	if now := b.writes(); now != writes {
		b.Errorf("a check wrote %d times", now-writes)
	}
	if r := ecp.RefusalOf(b.fails(wrong, ecp.ErrInvalid)); r == nil {
		b.Error("Apply took what Check had refused")
	}
}

// growing: volumes that are there, and those of nodes that come later.
func growing(b *bench) {
	n := b.suite.Nodes
	d, before := b.create(n)
	b.seen("bound", bound(n))
	was := d.Size.Storage.Size
	d.Size.Storage.Size, d.Generation = b.suite.LargerVolume, 2
	b.apply(d)
	larger := func(n int) func(o ecp.Observation) string {
		return func(o ecp.Observation) string {
			small := 0
			for _, v := range o.Volumes {
				if v.Capacity != b.suite.LargerVolume || v.Pending != "" {
					small++
				}
			}
			if small > 0 || len(o.Volumes) != n {
				return fmt.Sprintf("%d of %d volumes are not as large as wanted", small, n)
			}
			return running(n)(o)
		}
	}
	o := b.seen("larger", larger(n))
	b.same(identity(before, true), identity(o, true))

	d.Replicas, d.Spec.Nodes, d.Generation = n+1, n+1, 3
	b.apply(d)
	b.until("the volume of a later node is larger", func(ctx context.Context) string {
		o, err := b.p.Observe(ctx, b.id)
		if err == nil && len(o.Drift) > 0 { // it can grow from now on
			err = b.p.Apply(ctx, d)
		}
		if err != nil {
			return err.Error()
		}
		return larger(n + 1)(o)
	})
	writes := b.writes()
	b.apply(d)
	if now := b.writes(); now != writes {
		b.Errorf("an Apply that changes nothing wrote %d times", now-writes)
	}
	d.Size.Storage.Size = was
	if c, ok := b.p.(ecp.Checker); ok {
		if err := c.Check(b.Context(), d); err != nil {
			b.Errorf("a smaller size would be refused, although volumes just stay: %v", err)
		}
	}
	b.apply(d)
	b.seen("as large as before", larger(n+1))
}

// checkedUnobserved: what cannot be asked is not refused.
func checkedUnobserved(b *bench, d ecp.Desired) {
	c, ok := b.p.(ecp.Checker)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Second)
	defer cancel()
	if err := c.Check(ctx, d); err == nil || ecp.RefusalOf(err) != nil {
		b.Error(describeErr("Check of a platform that is away", err) + ", want an error that refuses nothing")
	}
}
