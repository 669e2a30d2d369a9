package workspace

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"time"
)

// Token is what is known of a token: everything but the token.
type Token struct {
	ID        string    `json:"id"`   // hex
	Hash      []byte    `json:"hash"` // SHA-256 of the token
	User      string    `json:"user"`
	UserID    string    `json:"user_id"`
	Namespace string    `json:"namespace,omitempty"`
	Comment   string    `json:"comment,omitempty"`
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires,omitzero"` // zero: never
}

// TokenRequest asks for a token.
type TokenRequest struct {
	User     string        // whose; a new name makes a user
	Comment  string        // at most 1,024 bytes
	Lifetime time.Duration // 0: it never expires
	Admin    bool          // the user joins the group admins
	// Value is the token itself, 16 bytes at least, where others chose it
	// already; empty: a random one.
	Value string
	// Namespace is the workspace that the token opens. Empty: the one for all,
	// or with Options.PerToken one of its own.
	Namespace string
}

const minTokenValue = 16

// CreateToken makes a token and returns it. Only its hash is kept, so this is
// the only time that it can be read. The first user of a workspace becomes
// its admin.
func (s *Set) CreateToken(q TokenRequest) (value string, tok Token, err error) {
	switch {
	case q.Lifetime < 0:
		return "", tok, refuse(InvalidParameter, "A token's lifetime must not be negative: %s.", q.Lifetime)
	case len(q.Comment) > 1024:
		return "", tok, refuse(InvalidParameter, "A token's comment has at most 1024 bytes, not %d.", len(q.Comment))
	case q.Value != "" && len(q.Value) < minTokenValue:
		return "", tok, refuse(InvalidParameter, "A token must have at least %d bytes, not %d.", minTokenValue, len(q.Value))
	}
	w, err := s.Workspace(q.Namespace)
	if err != nil {
		return "", tok, err
	}
	person, err := w.People.ensure(q.User, q.Admin)
	if err != nil {
		return "", tok, err
	}
	value = q.Value
	if value == "" {
		var raw [16]byte
		_, _ = rand.Read(raw[:]) // never fails: it ends the program rather
		value = "dapi" + hex.EncodeToString(raw[:])
	}
	id, hash := tokenID(value)
	tok = Token{ID: id, Hash: hash, User: person.Name, UserID: person.ID, Namespace: q.Namespace, Comment: q.Comment, Created: s.opt.Now().UTC()}
	if q.Lifetime > 0 {
		tok.Expires = tok.Created.Add(q.Lifetime)
	}
	err = s.tokens().update(func(t tx) error {
		taken, err := t.has("", id)
		if err == nil && taken {
			err = refuse(AlreadyExists, "This token exists already.")
		}
		if err != nil {
			return err
		}
		return t.write("", id, tok)
	})
	return value, tok, err
}

// tokens are the records of all tokens: a bucket that namespaces share.
func (s *Set) tokens() records { return records{s.store, bucketTokens} }

// tokenID finds a token's record without telling what the token is: a token
// has 128 random bits, so half of its hash says nothing about it.
func tokenID(value string) (id string, hash []byte) {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:16]), sum[:]
}

// errToken is the answer to every token that opens nothing, whatever the reason.
func errToken() error { return refuse(Unauthenticated, "Invalid access token.") }

// Authenticate tells whose a token is. A token that is unknown, revoked or
// expired, or whose user is gone or inactive, is refused with the same words.
func (s *Set) Authenticate(value string) (Identity, error) {
	id, hash := tokenID(value)
	var tok Token
	err := s.tokens().view(func(t tx) error {
		ok, err := t.read("", id, &tok)
		if err == nil && (!ok || subtle.ConstantTimeCompare(tok.Hash, hash) != 1) {
			err = errToken()
		}
		return err
	})
	if err != nil {
		return Identity{}, err
	}
	if !tok.Expires.IsZero() && !s.opt.Now().Before(tok.Expires) {
		return Identity{}, errToken()
	}
	who := Identity{Name: tok.User, ID: tok.UserID, TokenID: tok.ID, Namespace: tok.Namespace}
	if s.opt.PerToken && tok.Namespace == "" {
		return s.ownNamespace(who)
	}
	w, err := s.Workspace(tok.Namespace)
	if err != nil {
		return Identity{}, err
	}
	return w.People.active(who)
}

// ownNamespace opens the workspace that is a token's alone, and makes its user
// there the admin.
func (s *Set) ownNamespace(who Identity) (Identity, error) {
	who.Namespace = who.TokenID
	w, err := s.Workspace(who.Namespace)
	if err != nil {
		return Identity{}, err
	}
	q, ok, err := w.People.Named(User, who.Name)
	if err == nil && !ok {
		q, err = w.People.ensure(who.Name, true)
	}
	if err != nil {
		return Identity{}, err
	}
	who.ID = q.ID
	return w.People.active(who)
}

// active completes the identity of a person that may act.
func (p *People) active(who Identity) (Identity, error) {
	err := p.rec.view(func(t tx) error {
		var q Person
		ok, err := t.read(bucketPeople, who.ID, &q)
		if err == nil && (!ok || !q.Active || q.Kind == Group) {
			err = errToken()
		}
		who.Kind, who.Name = q.Kind, q.Name
		return err
	})
	return who, err
}

// Tokens lists the tokens that open a namespace, oldest first: those of a user,
// or all if user is empty. Expired ones are among them.
func (s *Set) Tokens(namespace, user string) ([]Token, error) {
	var list []Token
	err := s.tokens().view(func(t tx) error {
		var ids []string
		err := t.scan("", "", func(id string, _ []byte) bool {
			ids = append(ids, id)
			return true
		})
		for _, id := range ids {
			if err != nil {
				return err
			}
			var tok Token
			_, err = t.read("", id, &tok)
			if s.opens(tok) == namespace && (user == "" || tok.User == user) {
				list = append(list, tok)
			}
		}
		return err
	})
	slices.SortFunc(list, func(a, b Token) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return list, err
}

// opens is the namespace that a token opens.
func (s *Set) opens(tok Token) string {
	if s.opt.PerToken && tok.Namespace == "" {
		return tok.ID
	}
	return tok.Namespace
}

// Token reads the record of a token that opens a namespace.
func (s *Set) Token(namespace, id string) (Token, error) {
	var tok Token
	err := s.tokens().view(func(t tx) error {
		ok, err := t.read("", id, &tok)
		if err == nil && (!ok || s.opens(tok) != namespace) {
			err = refuse(DoesNotExist, "Token %s does not exist.", id)
		}
		return err
	})
	return tok, err
}

// RevokeToken makes a token worthless, at once.
func (s *Set) RevokeToken(id string) error {
	return s.tokens().update(func(t tx) error {
		ok, err := t.has("", id)
		if err == nil && !ok {
			err = refuse(DoesNotExist, "Token %s does not exist.", id)
		}
		if err != nil {
			return err
		}
		return t.delete("", id)
	})
}

// Local is the identity of whoever owns the data directory: an admin, without
// a token. An empty name means "admin".
func (s *Set) Local(name string) (Identity, error) {
	w, err := s.Workspace("")
	if err != nil {
		return Identity{}, err
	}
	if name == "" {
		name = "admin"
	}
	who, err := w.People.Identify(name)
	if err == nil {
		var admin bool
		if admin, err = w.People.IsAdmin(who); admin {
			return who, err
		}
	}
	if err != nil && !refused(err, DoesNotExist) {
		return Identity{}, err
	}
	q, err := w.People.ensure(name, true)
	return Identity{Kind: q.Kind, Name: q.Name, ID: q.ID}, err
}
