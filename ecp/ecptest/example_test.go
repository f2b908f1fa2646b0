package ecptest_test

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
)

// An Adapter's own test says how a cluster is reached and what is there; here
// its brokers are to have listeners and health, and nothing else is compared.
func ExampleTestAdapter() {
	// In your package this is func TestConformance(t *testing.T).
	_ = func(t *testing.T) {
		ecptest.TestAdapter(t, ecptest.AdapterSuite{
			Adapter:   toyAdapter{},
			Impatient: toyAdapter{patience: 300 * time.Millisecond},
			Open:      func(t *testing.T) ecp.Endpoint { return newToy().endpoint(t) },
			Want:      newToy().described,
			Listeners: &ecptest.WantListeners{ID: "tcp:default"},
			Health:    &ecp.Health{Node: "toy@a", Running: true, Available: ecp.True},
			Faults: []ecptest.AdapterFault{{
				Name: "its license is lost", Fails: []string{"License"},
				Open: func(t *testing.T) ecp.Endpoint {
					b := newToy()
					b.license = ecp.BrokerLicense{}
					return b.endpoint(t)
				},
			}},
		})
	}
}
