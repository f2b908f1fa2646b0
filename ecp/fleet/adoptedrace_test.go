package fleet

import (
	"context"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// meanwhile lets something happen just before the next transaction begins: after all
// that was read for it.
func (p *plant) meanwhile(fn func()) {
	p.s.Fault = func(bool) error {
		p.s.Fault = nil
		fn()
		return nil
	}
}

// TestAgentThatRegistersWhileItsClusterIsDeleted checks that the transaction that
// deletes a cluster takes every agent with it, whenever that has come.
func TestAgentThatRegistersWhileItsClusterIsDeleted(t *testing.T) {
	p := newPlant(t)
	p.agent("x")
	_, secret := p.token(p.id)
	p.meanwhile(func() {
		_, err := p.register(secret, "late")
		require.NoError(t, err)
	})
	_, err := p.m.Cluster(p.id).Do(asSystem(), ecp.Delete{})
	require.NoError(t, err)
	require.Empty(t, p.s.Records[ecp.KindAgent], "no key is left that would be worth something")
	require.Empty(t, p.s.Records[ecp.KindRegistrationToken])
}

// TestAgentThatRegistersWhileTheLastOneIsLookedFor checks that the state follows from
// the agents that there are when it is stored.
func TestAgentThatRegistersWhileTheLastOneIsLookedFor(t *testing.T) {
	p := newPlant(t)
	x := p.agent("x")
	p.reports(x, "emqx@x")
	require.Equal(t, ecp.Running, p.look(time.Second).Status.State)
	_, secret := p.token(p.id)
	delete(p.s.Records[ecp.KindAgent], string(x)) // a program that stopped before it stored what follows
	p.meanwhile(func() {
		_, err := p.register(secret, "late")
		require.NoError(t, err)
	})
	require.NotEqual(t, ecp.Created, p.look(time.Second).Status.State, "it has an agent")
}

// TestRegisteringWithAClusterThatIsDeleted checks that a token that is still there, of
// whatever reason, lets nobody in while its cluster is on its way out.
func TestRegisteringWithAClusterThatIsDeleted(t *testing.T) {
	p := newPlant(t)
	p.agent("x")
	token, secret := p.token(p.id)
	kept := p.s.Records[ecp.KindRegistrationToken][token.Hash]
	_, err := p.m.Cluster(p.id).Do(asSystem(), ecp.Delete{})
	require.NoError(t, err)
	_, err = p.register(secret, "late")
	require.ErrorIs(t, err, ecp.ErrDenied, "tokens go with the cluster")
	p.s.Records[ecp.KindRegistrationToken][token.Hash] = kept // as of an older build
	_, err = p.register(secret, "late")
	require.ErrorIs(t, err, ecp.ErrConflict)
	require.ErrorContains(t, err, "is being deleted")
	require.Empty(t, p.s.Records[ecp.KindAgent])
	_, _, err = p.m.Agents.CreateRegistration(asSystem(), p.id, 0)
	require.ErrorIs(t, err, ecp.ErrConflict)
	p.m.reconcile(context.Background(), p.id)
	require.Equal(t, ecp.Gone, p.rec(p.id).Status.State)
}
