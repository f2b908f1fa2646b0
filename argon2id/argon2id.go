// Package argon2id makes and checks the hashes that are stored of passwords.
//
// A hash is a text in the PHC form, which carries the parameters it was made
// with: raising them later makes old hashes outdated, not wrong. Every hash
// under way takes its memory, so that a [Hasher] makes few at once and lets
// others wait their turn, no longer than their context.
//
// It is an [tenancy.PasswordHasher]; it knows nothing else of ecp.
package argon2id

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Config is what hashes are made with. Zero fields take the default, which is
// what OWASP advises for servers with little memory to spare.
type Config struct {
	MemoryKiB  int // of one hash; 19,456 (19 MiB)
	Time       int // passes over the memory; 2
	Threads    int // 1
	Concurrent int // hashes made at once; 2
}

// Bounds of what a stored hash may ask for, so that a damaged one cannot take
// all memory or hours.
const (
	maxMemoryKiB = 1 << 20
	maxTime      = 64
	maxThreads   = 64
	maxBytes     = 128
)

const (
	saltBytes = 16
	keyBytes  = 32
)

// Hasher makes and checks hashes. All methods may be called at once.
type Hasher struct {
	p     params
	turns chan struct{} // one for each hash under way
}

// params are what a hash depends on beside password and salt.
type params struct {
	memory, time uint32
	threads      uint8
}

// New returns a Hasher; parameters beyond what Verify takes are an error.
func New(c Config) (*Hasher, error) {
	set := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	set(&c.MemoryKiB, 19_456)
	set(&c.Time, 2)
	set(&c.Threads, 1)
	set(&c.Concurrent, 2)
	if c.Concurrent < 1 {
		return nil, errors.New("new argon2id: Concurrent is negative")
	}
	p, err := checked(c.MemoryKiB, c.Time, c.Threads)
	if err != nil {
		return nil, fmt.Errorf("new argon2id: %w", err)
	}
	return &Hasher{p: p, turns: make(chan struct{}, c.Concurrent)}, nil
}

func checked(memory, time, threads int) (params, error) {
	if memory < 8*threads || memory > maxMemoryKiB || time < 1 || time > maxTime || threads < 1 ||
		threads > maxThreads {
		return params{}, fmt.Errorf("parameters m=%d, t=%d, p=%d are out of bounds", memory, time, threads)
	}
	return params{uint32(memory), uint32(time), uint8(threads)}, nil
}

// Hash returns the PHC text of a password, with a salt of its own.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never fails: the program ends instead
	key, err := h.key(ctx, h.p, password, salt, keyBytes)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.p.memory, h.p.time, h.p.threads,
		b64(salt), b64(key)), nil
}

// Verify reports whether a PHC text is a password's, and whether it was made with
// weaker parameters than h's. The comparison takes the same time for every
// password.
func (h *Hasher) Verify(ctx context.Context, phc, password string) (ok, outdated bool, err error) {
	p, salt, want, err := parse(phc)
	if err != nil {
		return false, false, fmt.Errorf("verify password: %w", err)
	}
	key, err := h.key(ctx, p, password, salt, len(want))
	if err != nil {
		return false, false, fmt.Errorf("verify password: %w", err)
	}
	weaker := p.memory < h.p.memory || p.time < h.p.time || len(salt) < saltBytes || len(want) < keyBytes
	return subtle.ConstantTimeCompare(key, want) == 1, weaker, nil
}

// key does the work, when it is its turn.
func (h *Hasher) key(ctx context.Context, p params, password string, salt []byte, length int) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case h.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.turns }()
	return argon2.IDKey([]byte(password), salt, p.time, p.memory, p.threads, uint32(length)), nil
}

// errForm never quotes the text: hashes are not for logs.
var errForm = errors.New("the stored hash is not an argon2id hash in PHC form")

func parse(phc string) (params, []byte, []byte, error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return params{}, nil, nil, errForm
	}
	var memory, time, threads int
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &threads); err != nil ||
		parts[3] != fmt.Sprintf("m=%d,t=%d,p=%d", memory, time, threads) {
		return params{}, nil, nil, errForm
	}
	p, err := checked(memory, time, threads)
	if err != nil {
		return params{}, nil, nil, fmt.Errorf("%w: %w", errForm, err)
	}
	b64 := base64.RawStdEncoding.Strict()
	salt, errSalt := b64.DecodeString(parts[4])
	key, errKey := b64.DecodeString(parts[5])
	if errSalt != nil || errKey != nil || len(salt) < 8 || len(salt) > maxBytes || len(key) < 16 ||
		len(key) > maxBytes {
		return params{}, nil, nil, errForm
	}
	return p, salt, key, nil
}
