package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// signer is the key that signs, or nil.
type signer = ed25519.PrivateKey

// sumsFile lists the checksums as sha256sum does; its signature is beside it.
const (
	sumsFile      = "SHA256SUMS"
	signatureFile = sumsFile + ".sig"
)

// readKey reads a private key, PKCS #8 in PEM, as `openssl genpkey -algorithm ed25519` makes
// it. Without a name there is none.
func readKey(name string) (signer, error) {
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the key that signs: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("read the key that signs: %s has no PEM block", name)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read the key that signs: %s: it is no PKCS #8 key", name) // never its content
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read the key that signs: %s has another kind of key; Ed25519 is wanted", name)
	}
	return private, nil
}

// sums writes the checksums of all files in r.out, and signs them.
func (r release) sums(key signer) error {
	var b strings.Builder
	err := filepath.WalkDir(r.out, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		short, err := filepath.Rel(r.out, name)
		b.WriteString(hex.EncodeToString(sum[:]) + "  " + filepath.ToSlash(short) + "\n")
		return err
	})
	if err != nil {
		return fmt.Errorf("sum up: %w", err)
	}
	err = os.WriteFile(filepath.Join(r.out, sumsFile), []byte(b.String()), 0o644)
	if err == nil && key != nil {
		err = os.WriteFile(filepath.Join(r.out, signatureFile), ed25519.Sign(key, []byte(b.String())), 0o644)
	}
	if err != nil {
		return errors.Join(errors.New("write the checksums"), err)
	}
	return nil
}
