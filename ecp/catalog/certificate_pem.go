package catalog

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
)

const (
	longestChain = 10
	// weakRSA is the number of bits below which clients refuse keys of RSA.
	weakRSA = 2048
)

// learnChain reads what the chain of a certificate says, and adds what is wrong with it.
// The chain is stored without texts between its blocks, as openssl writes them.
func learnChain(p *fault.Fields, e *ecp.Certificate, now time.Time) {
	chain, err := parseChain(e.Chain)
	if err != nil {
		p.Add("chain", "%s", err.Error())
		return
	}
	for i, c := range chain {
		if why := unfit(chain, i, now); why != "" {
			p.Add("chain", "certificate %d of it, %s, %s", i+1, subjectOf(c), why)
			return
		}
	}
	describeChain(e, chain)
	if e.KeySet && e.KeySHA256 != "" && e.KeySHA256 != publicKeyHash(chain[0].PublicKey) {
		p.Add("key", "is not that of the first certificate of the chain, %s; both are replaced together",
			subjectOf(chain[0]))
	}
}

// parseChain reads certificates in PEM.
func parseChain(text string) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	if len(text) > MaxSecret {
		return nil, fmt.Errorf("has %d bytes; at most %d are allowed", len(text), MaxSecret)
	}
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if strings.Contains(block.Type, "PRIVATE KEY") {
			return nil, errors.New("has a private key in it; that belongs into the field key, which is never shown")
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("has a block %q in it; only certificates belong there", printable(block.Type))
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("has a certificate that cannot be read: %s", printable(err.Error()))
		}
		chain = append(chain, c)
	}
	switch {
	case len(chain) == 0:
		return nil, errors.New("has no certificate in it; PEM is wanted, which begins with " +
			`"-----BEGIN CERTIFICATE-----"`)
	case len(chain) > longestChain:
		return nil, fmt.Errorf("has %d certificates; at most %d are allowed", len(chain), longestChain)
	}
	return chain, nil
}

// unfit returns why a certificate of a chain is none that clients accept, as far as that
// can be said without knowing whom they trust. It is empty where nothing is wrong.
func unfit(chain []*x509.Certificate, i int, now time.Time) string {
	c := chain[i]
	switch {
	case now.After(c.NotAfter):
		return "ended on " + c.NotAfter.UTC().Format(time.DateOnly)
	case now.Before(c.NotBefore):
		return "is not valid before " + c.NotBefore.UTC().Format(time.RFC3339)
	case weakKey(c.PublicKey) != "":
		return weakKey(c.PublicKey)
	case slices.Contains(weakSignatures, c.SignatureAlgorithm) && !slices.Equal(c.RawIssuer, c.RawSubject):
		return "is signed by " + c.SignatureAlgorithm.String() + ", which clients refuse"
	case i == 0 && len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0 &&
		!slices.ContainsFunc(c.ExtKeyUsage, func(u x509.ExtKeyUsage) bool {
			return u == x509.ExtKeyUsageServerAuth || u == x509.ExtKeyUsageAny
		}):
		return "is not one for servers: its extended key usage says other things"
	case i+1 < len(chain) && c.CheckSignatureFrom(chain[i+1]) != nil:
		return "is not signed by the one after it, " + subjectOf(chain[i+1]) +
			"; the order is: the server's own, then that of its issuer, and so on"
	}
	return ""
}

// weakSignatures are signatures that clients refuse, but for those of roots, which nobody
// checks.
var weakSignatures = []x509.SignatureAlgorithm{x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1,
	x509.DSAWithSHA256, x509.ECDSAWithSHA1}

// weakKey returns why a public key is none for listeners. Ed25519 is left out as EMQX 4.4
// and many clients of devices do not know it.
func weakKey(key crypto.PublicKey) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < weakRSA {
			return fmt.Sprintf("has a key of RSA with %d bits, which clients refuse; at least %d are wanted",
				k.N.BitLen(), weakRSA)
		}
		return ""
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return "has a key of " + k.Curve.Params().Name + ", which clients refuse; P-256 or more is wanted"
		}
		return ""
	}
	return "has a key of another kind than RSA and ECDSA, which not every client knows"
}

// describeChain notes what a chain says in its entry.
func describeChain(e *ecp.Certificate, chain []*x509.Certificate) {
	first, last := chain[0], chain[len(chain)-1]
	e.Chain, e.Subjects, e.DNSNames, e.IPAddresses = "", nil, []string{}, []string{}
	e.NotBefore, e.NotAfter = first.NotBefore.UTC(), first.NotAfter.UTC()
	for _, c := range chain {
		e.Chain += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
		e.Subjects = append(e.Subjects, subjectOf(c))
		if c.NotAfter.Before(e.NotAfter) {
			e.NotAfter = c.NotAfter.UTC()
		}
	}
	for _, name := range first.DNSNames {
		e.DNSNames = append(e.DNSNames, printable(name))
	}
	for _, a := range first.IPAddresses {
		e.IPAddresses = append(e.IPAddresses, a.String())
	}
	e.Issuer = nameOf(last.Issuer.String(), last.Issuer.CommonName)
	sum := sha256.Sum256(first.Raw)
	e.SHA256 = hex.EncodeToString(sum[:])
}

func subjectOf(c *x509.Certificate) string {
	return nameOf(c.Subject.String(), strings.Join(c.DNSNames, ", "))
}

// nameOf returns the first text that is not empty, fit to be shown.
func nameOf(name, other string) string {
	if name == "" {
		name = other
	}
	if name == "" {
		return "without a name"
	}
	return printable(name)
}

func publicKeyHash(key crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// learnPrivateKey reads a private key, and notes which public key it belongs to.
func learnPrivateKey(p *fault.Fields, e *ecp.Certificate, text ecp.Secret) {
	key, err := parsePrivateKey([]byte(text))
	if err != nil {
		e.KeySHA256 = ""
		p.Add("key", "%s", err.Error())
		return
	}
	e.KeySHA256 = publicKeyHash(key.Public())
}

// parsePrivateKey reads the one private key of a text in PEM. Nothing of it is in an error.
func parsePrivateKey(text []byte) (crypto.Signer, error) {
	var found *pem.Block
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case strings.HasPrefix(block.Type, "ENCRYPTED ") || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return nil, errors.New("is encrypted with a password; give it without one, it is stored encrypted here " +
				`("openssl pkey -in key.pem" takes the password away)`)
		case block.Type == "EC PARAMETERS": // as "openssl ecparam -genkey" writes them before the key
		case !strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return nil, errors.New("has something else than a private key in it; certificates belong into chain")
		case found != nil:
			return nil, errors.New("has more than one private key in it")
		default:
			found = block
		}
	}
	if found == nil {
		return nil, errors.New("has no private key in it; PEM is wanted, which begins with " +
			`"-----BEGIN PRIVATE KEY-----"`)
	}
	var key any
	var err error
	switch found.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(found.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(found.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(found.Bytes)
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, errors.New("cannot be read as a private key of RSA or ECDSA")
	}
	return signer, nil
}
