package tenancy

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

func TestLoginAndLogout(t *testing.T) {
	o := newOffice(t)
	s := o.login("a-boss")
	require.Equal(t, dayOne.Add(time.Hour), s.ExpiresAt)
	a, err := o.accounts.Authenticate(context.Background(), s.Secret)
	require.NoError(t, err)
	require.Equal(t, ecp.Actor{
		Name:       "a-boss",
		Grants:     []ecp.Grant{{Role: ecp.RoleOrgAdmin, Org: "a"}},
		Credential: "session/" + s.ID,
	}, a)
	require.True(t, a.May(ecp.RightWrite, "a/p"))

	other := o.login("a-boss")
	require.NoError(t, o.accounts.Logout(ecp.WithActor(context.Background(), a)))
	_, err = o.accounts.Authenticate(context.Background(), s.Secret)
	require.ErrorIs(t, err, ecp.ErrDenied)
	_, err = o.accounts.Authenticate(context.Background(), other.Secret)
	require.NoError(t, err, "the other session goes on")
	require.ErrorIs(t, o.accounts.Logout(o.system()), ecp.ErrUnsupported)
}

// A session holds what the user holds now, and ends with the user's rights.
func TestSessionsFollowTheUser(t *testing.T) {
	yes, word := true, "another password"
	for name, end := range map[string]func(o *office, ctx context.Context) error{
		"time": func(o *office, _ context.Context) error { o.now = dayOne.Add(time.Hour); return nil },
		"disabled": func(o *office, _ context.Context) error {
			_, err := o.accounts.UpdateUser(o.as("root"), "ap-lead", UserChange{Disabled: &yes})
			return err
		},
		"new password": func(o *office, _ context.Context) error {
			_, err := o.accounts.UpdateUser(o.as("root"), "ap-lead", UserChange{Password: &word})
			return err
		},
		"own password": func(o *office, ctx context.Context) error {
			return o.accounts.ChangePassword(ctx, goodPassword, word)
		},
		"deleted": func(o *office, _ context.Context) error {
			return o.accounts.DeleteUser(o.as("a-boss"), "ap-lead", 0)
		},
	} {
		o := newOffice(t)
		s := o.login("ap-lead")
		a, err := o.accounts.Authenticate(context.Background(), s.Secret)
		require.NoError(t, err)
		require.NoError(t, end(o, ecp.WithActor(context.Background(), a)), name)
		_, err = o.accounts.Authenticate(context.Background(), s.Secret)
		require.ErrorIs(t, err, ecp.ErrDenied, name)
		if name != "time" {
			require.Empty(t, o.s.Records[ecp.KindSession], name)
		}
	}
	o := newOffice(t)
	s := o.login("ap-lead")
	less := []ecp.Grant{{Role: ecp.RoleUser, Project: "a/q"}}
	_, err := o.accounts.UpdateUser(o.as("root"), "ap-lead", UserChange{Grants: &less})
	require.NoError(t, err)
	a, err := o.accounts.Authenticate(context.Background(), s.Secret)
	require.NoError(t, err)
	require.False(t, a.May(ecp.RightRead, "a/p"))
	require.True(t, a.May(ecp.RightRead, "a/q"))
}

// slowHasher lets something happen while a password is compared.
type slowHasher struct {
	PasswordHasher
	meanwhile func()
}

func (h slowHasher) Verify(ctx context.Context, hash, password string) (ok, outdated bool, err error) {
	ok, outdated, err = h.PasswordHasher.Verify(ctx, hash, password)
	h.meanwhile()
	return ok, outdated, err
}

// TestNothingBeginsWithAnOldPassword: what ends sessions ends a login that is
// under way, too.
func TestNothingBeginsWithAnOldPassword(t *testing.T) {
	yes, word := true, "another password"
	for name, change := range map[string]UserChange{
		"disabled":     {Disabled: &yes},
		"new password": {Password: &word},
		"new grants":   {Grants: &[]ecp.Grant{{Role: ecp.RoleUser, Project: "a/q"}}},
	} {
		o := newOffice(t)
		o.accounts.hasher = slowHasher{o.hasher, func() {
			o.now = o.now.Add(time.Millisecond)
			_, err := o.accounts.UpdateUser(o.as("root"), "ap-lead", change)
			require.NoError(t, err)
		}}
		_, err := o.accounts.Login(context.Background(), "ap-lead", goodPassword)
		if change.Grants != nil { // the session has those of the user, whatever they are
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, ecp.ErrDenied, name)
		require.Empty(t, o.s.Records[ecp.KindSession], name)
	}
}

// Whoever is asked for, a failed login reads alike and costs one comparison.
func TestFailedLoginsLookAlike(t *testing.T) {
	o := newOffice(t)
	yes := true
	_, err := o.accounts.UpdateUser(o.system(), "b-boss", UserChange{Disabled: &yes})
	require.NoError(t, err)
	_, err = o.accounts.CreateUser(o.system(),
		UserRequest{Name: "no-password", Grants: []ecp.Grant{{Role: ecp.RoleSystem}}})
	require.NoError(t, err)
	o.login("root")
	const want = "log in: the user name or the password is wrong, or the user is disabled"
	for _, c := range []struct{ user, password string }{
		{"root", "wrong password"}, {"nobody", goodPassword}, {"b-boss", goodPassword}, {"no-password", ""},
		{"no-password", goodPassword},
		{"", ""}, {"NOT A NAME", goodPassword}, {"root", ""}, {"root", string(make([]byte, 10_000))},
	} {
		o.now = o.now.Add(time.Hour)
		compared := len(o.hasher.verified)
		_, err := o.accounts.Login(context.Background(), c.user, c.password)
		require.EqualError(t, err, want, "%q", c.user)
		require.ErrorIs(t, err, ecp.ErrDenied)
		require.Len(t, o.hasher.verified, compared+1, "%q", c.user)
	}
}

func TestGuessingIsSlowedDown(t *testing.T) {
	for _, user := range []string{"root", "nobody"} { // alike
		o := newOffice(t)
		guess := func(password string) error {
			_, err := o.accounts.Login(context.Background(), user, password)
			return err
		}
		for range attemptsFree {
			require.ErrorIs(t, guess("wrong"), ecp.ErrDenied)
		}
		wait := time.Second
		for range 12 {
			compared := len(o.hasher.verified)
			err := guess(goodPassword)
			require.ErrorIs(t, err, ecp.ErrThrottled, "not even the right one is looked at")
			require.ErrorContains(t, err, fmt.Sprintf("wait %s", wait))
			var e *ecp.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, wait, e.RetryAfter)
			require.Len(t, o.hasher.verified, compared)
			o.now = o.now.Add(wait)
			require.ErrorIs(t, guess("wrong"), ecp.ErrDenied)
			wait = min(2*wait, attemptsLongest)
		}
		require.Equal(t, attemptsLongest, wait)
		o.now = o.now.Add(wait)
		if user == "root" {
			require.NoError(t, guess(goodPassword))
			require.ErrorIs(t, guess("wrong"), ecp.ErrDenied, "and begins anew")
		}
	}
}

func TestHashesAreMadeStrongerAtLogin(t *testing.T) {
	o := newOffice(t)
	stored := func() string { return o.s.Records[ecp.KindPassword]["root"].Payload.(passwordHash).Hash }
	require.Equal(t, "1:"+goodPassword, stored())
	o.hasher.version = "2"
	o.login("root")
	require.Equal(t, "2:"+goodPassword, stored())
	writes := o.s.Writes
	o.login("root")
	require.Equal(t, writes+1, o.s.Writes, "the session only")
}

func TestABusyHasher(t *testing.T) {
	o := newOffice(t)
	o.login("root")
	o.hasher.err = errors.New("no turn in time")
	_, err := o.accounts.Login(context.Background(), "root", goodPassword)
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	_, err = o.accounts.CreateUser(o.system(),
		UserRequest{Name: "fresh", Password: goodPassword, Grants: []ecp.Grant{{Role: ecp.RoleSystem}}})
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	o.accounts.hasher = nil
	_, err = o.accounts.Login(context.Background(), "root", goodPassword)
	require.ErrorIs(t, err, ecp.ErrUnsupported)
}

func TestSessionsOfOneAreBounded(t *testing.T) {
	o := newOffice(t)
	var all []Session
	for range sessionsOfOne + 5 {
		o.now = o.now.Add(time.Second)
		all = append(all, o.login("root"))
	}
	require.Len(t, o.s.Records[ecp.KindSession], sessionsOfOne)
	_, err := o.accounts.Authenticate(context.Background(), all[4].Secret)
	require.ErrorIs(t, err, ecp.ErrDenied, "the oldest have ended")
	_, err = o.accounts.Authenticate(context.Background(), all[5].Secret)
	require.NoError(t, err)
}

func TestChangePassword(t *testing.T) {
	o := newOffice(t)
	require.ErrorIs(t, o.accounts.ChangePassword(o.system(), "x", "another password"), ecp.ErrUnsupported)
	ctx := o.as("ap-user")
	err := o.accounts.ChangePassword(ctx, "wrong", "another password")
	require.ErrorIs(t, err, ecp.ErrDenied)
	require.ErrorContains(t, err, "currentPassword: is not the present password")
	require.ErrorIs(t, o.accounts.ChangePassword(ctx, goodPassword, "short"), ecp.ErrInvalid)
	require.ErrorIs(t, o.accounts.ChangePassword(ctx, goodPassword, ""), ecp.ErrInvalid)
	require.NoError(t, o.accounts.ChangePassword(ctx, goodPassword, "another password"))
	_, err = o.accounts.Login(context.Background(), "ap-user", goodPassword)
	require.ErrorIs(t, err, ecp.ErrDenied)
	_, err = o.accounts.Login(context.Background(), "ap-user", "another password")
	require.NoError(t, err)
}
