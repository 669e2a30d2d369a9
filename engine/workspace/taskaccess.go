package workspace

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// What a task that runs as a user may use: the API, and the user's secrets.

// TaskToken is the token by which the tasks of a user speak to this API. It is
// derived from the key of secrets, so that a task which outlives the daemon
// still has a good one; as of every token only its hash is kept. It can be
// revoked, and then the next task gets it anew. A user who is unknown here has
// none: "".
func (s *Set) TaskToken(namespace, user string) (string, error) {
	w, err := s.Workspace(namespace)
	if err != nil {
		return "", err
	}
	who, err := w.People.Identify(user)
	if refused(err, DoesNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	key, err := s.seal.derive("task token\x00" + namespace + "\x00" + who.ID)
	if err != nil {
		return "", err
	}
	value := "dapi" + hex.EncodeToString(key[:16])
	// Nearly always it is there: looking costs less than a turn as the writer.
	if there, err := s.hasToken(value); there || err != nil {
		return value, err
	}
	_, _, err = s.CreateToken(TokenRequest{User: who.Name, Comment: "for tasks of " + who.Name, Value: value, Namespace: namespace})
	if refused(err, AlreadyExists) {
		err = nil
	}
	return value, err
}

func (s *Set) hasToken(value string) (there bool, err error) {
	id, _ := tokenID(value)
	err = s.tokens().view(func(t tx) error {
		there, err = t.has("", id)
		return err
	})
	return there, err
}

// derive makes a key of its own for a purpose.
func (s *sealer) derive(purpose string) ([]byte, error) {
	if _, _, err := s.load(true); err != nil {
		return nil, err
	}
	key, err := readKey(s.path)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(purpose))
	return mac.Sum(nil), nil
}

// Readable are the values of all secrets that somebody may read, by scope and
// key.
func (s *Secrets) Readable(who Identity) (map[string]map[string]string, error) {
	scopes, err := s.Scopes(who)
	if err != nil || len(scopes) == 0 {
		return nil, err
	}
	all := make(map[string]map[string]string, len(scopes))
	for _, scope := range scopes {
		list, err := s.List(who, scope)
		if err != nil {
			return nil, err
		}
		values := make(map[string]string, len(list))
		for _, info := range list {
			v, err := s.Get(who, scope, info.Key)
			if err != nil {
				return nil, err
			}
			values[info.Key] = string(v)
		}
		all[scope] = values
	}
	return all, nil
}
