package tenancy

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// from returns the context of a caller at an address.
func from(address string) context.Context {
	return ecp.WithOrigin(context.Background(), ecp.Origin{RemoteAddress: address})
}

func (o *office) loginFrom(address, name, password string) error {
	_, err := o.accounts.Login(from(address), name, password)
	return err
}

// guessFrom tries wrong passwords from many addresses until nobody is let try.
func (o *office) guessFrom(name string, addresses int) {
	for i := range addresses {
		for range attemptsFree {
			_ = o.loginFrom(fmt.Sprintf("203.0.%d.%d", i/256, i%256), name, "wrong password")
		}
	}
}

// Whoever guesses, a user gets in from where they have been before.
func TestOthersLockNobodyOut(t *testing.T) {
	o := newOffice(t)
	require.NoError(t, o.loginFrom("192.0.2.7", "root", goodPassword))
	require.NoError(t, o.loginFrom("2001:db8:0:1::7", "root", goodPassword))
	o.guessFrom("root", 100)

	require.ErrorIs(t, o.loginFrom("198.51.100.1", "root", goodPassword), ecp.ErrThrottled,
		"many origins guess no faster than a few")
	require.NoError(t, o.loginFrom("192.0.2.7", "root", goodPassword))
	require.NoError(t, o.loginFrom("2001:db8:0:1:ffff::9", "root", goodPassword),
		"a host picks its addresses from a /64")
	require.ErrorIs(t, o.loginFrom("2001:db8:0:2::7", "root", goodPassword), ecp.ErrThrottled)
	require.NoError(t, o.loginFrom("198.51.100.1", "a-boss", goodPassword), "it is about one name")

	for range attemptsFree {
		require.ErrorIs(t, o.loginFrom("192.0.2.7", "root", "wrong password"), ecp.ErrDenied)
	}
	require.ErrorIs(t, o.loginFrom("192.0.2.7", "root", goodPassword), ecp.ErrThrottled, "its own guesses count")
	require.NoError(t, o.loginFrom("2001:db8:0:1::7", "root", goodPassword))

	o.now = dayOne.Add(originsKept)
	o.guessFrom("root", 100)
	require.NoError(t, o.loginFrom("192.0.2.7", "root", goodPassword), "30 days are over tomorrow")
	o.now = o.now.Add(originsKept + time.Second)
	o.guessFrom("root", 100)
	require.ErrorIs(t, o.loginFrom("192.0.2.7", "root", goodPassword), ecp.ErrThrottled)
	o.now = o.now.Add(attemptsForgot + 30*time.Minute)
	require.NoError(t, o.loginFrom("192.0.2.7", "root", goodPassword), "patience comes back")
}

// A place is remembered over a restart, for as many places as there may be.
func TestOriginsAreStored(t *testing.T) {
	o := newOffice(t)
	for i := range originsOfUser + 5 {
		o.now = o.now.Add(time.Minute)
		require.NoError(t, o.loginFrom(fmt.Sprintf("192.0.2.%d", i), "root", goodPassword))
	}
	o.accounts.attempts = attempts{}
	o.guessFrom("root", 100)
	require.NoError(t, o.loginFrom("192.0.2.54", "root", goodPassword))
	require.NoError(t, o.loginFrom("192.0.2.5", "root", goodPassword))
	require.ErrorIs(t, o.loginFrom("192.0.2.0", "root", goodPassword), ecp.ErrThrottled, "the oldest are forgotten")
	_, err := o.accounts.CreateUser(o.system(),
		UserRequest{Name: "second", Password: goodPassword, Grants: []ecp.Grant{{Role: ecp.RoleSystem}}})
	require.NoError(t, err)
	require.NoError(t, o.accounts.DeleteUser(o.system(), "root", 0))
	require.Empty(t, o.s.Records[ecp.KindLoginOrigins], "what is known of a user goes with the user")
}

func TestUnlock(t *testing.T) {
	o := newOffice(t)
	o.guessFrom("ap-user", 100)
	require.ErrorIs(t, o.loginFrom("192.0.2.7", "ap-user", goodPassword), ecp.ErrThrottled)
	for name, want := range map[string]ecp.Code{
		"root":    "",
		"a-boss":  "",
		"ap-lead": "",
		"ap-user": ecp.CodeDenied,
		"aq-lead": ecp.CodeNotFound,
		"b-boss":  ecp.CodeNotFound,
	} {
		require.Equal(t, want, ecp.CodeOf(o.accounts.UnlockUser(o.as(name), "ap-user", "")), name)
	}
	require.NoError(t, o.loginFrom("192.0.2.7", "ap-user", goodPassword))

	o.guessFrom("ap-user", 100)
	err := o.accounts.UnlockUser(o.as("ap-lead"), "ap-user", "the office")
	require.ErrorIs(t, err, ecp.ErrInvalid)
	require.ErrorContains(t, err, "address: is not an IP address")
	o.now = o.now.Add(time.Second)
	require.NoError(t, o.accounts.UnlockUser(o.as("ap-lead"), "ap-user", "192.0.2.8"))
	o.guessFrom("ap-user", 100) // it goes on
	require.NoError(t, o.loginFrom("192.0.2.8", "ap-user", goodPassword), "named by an administrator")
	got := o.audit(o.as("ap-lead"),
		change.AuditOptions{Kind: ecp.KindUser, Key: "ap-user", Outcome: change.OutcomeDone})
	require.Equal(t, "unlock", got[0].Action)
	require.Equal(t, []change.AuditChange{{Path: "/origin", After: `"192.0.2.8"`}}, got[0].Changes)
}

// A program that shares the Store unlocks what another one has unlocked, and nothing else.
func TestUnlockElsewhere(t *testing.T) {
	o := newOffice(t)
	o.guessFrom("ap-user", 100)
	e := change.AuditEntry{Action: "unlock", Kind: ecp.KindUser, Key: "ap-user", Outcome: change.OutcomeDone}
	for _, other := range []func(*change.AuditEntry){
		func(e *change.AuditEntry) { e.Action = "update" }, func(e *change.AuditEntry) { e.Kind = ecp.KindOrg },
		func(e *change.AuditEntry) { e.Key = "root" }, func(e *change.AuditEntry) { e.Outcome = change.OutcomeDenied },
	} {
		wrong := e
		other(&wrong)
		o.accounts.TakeUp(wrong)
		require.ErrorIs(t, o.loginFrom("192.0.2.7", "ap-user", goodPassword), ecp.ErrThrottled)
	}
	o.accounts.TakeUp(e)
	require.NoError(t, o.loginFrom("192.0.2.7", "ap-user", goodPassword))
}

// The present password is guessed no faster from many origins than from one.
func TestGuessingThePresentPassword(t *testing.T) {
	o := newOffice(t)
	refused := func() int {
		return len(o.audit(o.system(), change.AuditOptions{Outcome: change.OutcomeDenied, Actor: "root"}))
	}
	for i := range attemptsFree {
		ctx := ecp.WithOrigin(o.as("root"), ecp.Origin{RemoteAddress: fmt.Sprintf("192.0.2.%d", i)})
		require.ErrorIs(t, o.accounts.ChangePassword(ctx, "wrong password", "another password"), ecp.ErrDenied)
	}
	require.Equal(t, attemptsFree, refused(), "and the audit tells of it")
	require.ErrorIs(t, o.accounts.ChangePassword(o.as("root"), goodPassword, "another password"), ecp.ErrThrottled)
	require.NoError(t, o.loginFrom("192.0.2.7", "root", goodPassword), "which locks nobody out")
}

func TestOriginGroups(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7":        "192.0.2.7",
		"::ffff:192.0.2.7": "192.0.2.7",
		"2001:db8::1":      "2001:db8::/64",
		"2001:db8:0:0:9::": "2001:db8::/64",
		"2001:db8:0:1::":   "2001:db8:0:1::/64",
		"fe80::1%eth0":     "fe80::/64",
		"::1":              "::/64",
		"":                 "",
		"unknown":          "",
		"192.0.2.7:80":     "",
		"host.example":     "",
	} {
		require.Equal(t, want, originGroup(address), address)
	}
}

// However many names and origins come, memory is bounded, and nobody gets rid of a
// count that was driven up.
func TestAttemptsAreBounded(t *testing.T) {
	var a attempts
	victim := guesser{"root", "192.0.2.7"}
	for range attemptsFree {
		require.Zero(t, a.begin(victim, false, dayOne))
	}
	for i := range attemptsWatched + 100 {
		name, origin := fmt.Sprint("made-up-", i), fmt.Sprint("origin-", i)
		require.Zero(t, a.begin(guesser{name, origin}, false, dayOne.Add(time.Duration(i)*time.Microsecond)))
	}
	require.Len(t, a.own, attemptsWatched)
	require.Len(t, a.names, attemptsWatched)
	require.Len(t, a.origins, attemptsWatched)
	require.NotZero(t, a.begin(victim, false, dayOne.Add(time.Millisecond)))
	require.Zero(t, a.begin(guesser{"later", "later"}, false, dayOne.Add(time.Hour)))
	require.Len(t, a.own, 1, "what is long ago is forgotten")
	require.Len(t, a.names, 1)
}

// One origin tries only so many names.
func TestOneOriginGuessesManyNames(t *testing.T) {
	var a attempts
	passed := 0
	for i := range 1000 {
		if a.begin(guesser{fmt.Sprint("name-", i), "192.0.2.7"}, false, dayOne) == 0 {
			passed++
		}
	}
	require.Equal(t, guessesOfOrigin.Burst, passed)
	require.Zero(t, a.begin(guesser{"ann", "192.0.2.7"}, true, dayOne), "who is known there is not held to it")
}

// Whatever others do, from wherever but a user's own place, an attempt from there
// waits only for the user's own failures.
func TestKnownOriginsKeepTheirOwnCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a, alone attempts
		now := dayOne
		own := guesser{"ann", "home"}
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "seconds")) * time.Second)
			if rapid.Bool().Draw(t, "own") {
				got, want := a.begin(own, true, now), alone.begin(own, true, now)
				if got != want {
					t.Fatalf("waits %s, alone %s", got, want)
				}
				continue
			}
			other := guesser{
				rapid.SampledFrom([]string{"ann", "ben"}).Draw(t, "name"),
				rapid.SampledFrom([]string{"away", "far", "home2"}).Draw(t, "origin"),
			}
			a.begin(other, rapid.Bool().Draw(t, "known"), now)
		}
	})
}

// Who guesses at several programs that share the Store guesses no faster than at one, once
// waits have grown.
func TestGuessingAtSeveralPrograms(t *testing.T) {
	granted := func(programs, origins int) (n int) {
		all := make([]attempts, programs)
		for i := range all {
			all[i].programs = func() int { return programs }
		}
		for second := range 4 * 60 * 60 {
			for i := range all {
				g := guesser{"root", fmt.Sprint("origin ", (second+i)%origins)}
				if all[i].begin(g, false, dayOne.Add(time.Duration(second)*time.Second)) == 0 && second > 60*60 {
					n++
				}
			}
		}
		return n
	}
	for _, origins := range []int{1, 3, 1000} {
		one := granted(1, origins)
		require.Greater(t, one, 30)
		for programs := 2; programs <= 5; programs++ {
			several := granted(programs, origins)
			require.LessOrEqual(t, several, one+programs, "%d programs, %d origins", programs, origins)
			require.Greater(t, several, one*9/10, "%d programs, %d origins", programs, origins)
		}
	}
}
