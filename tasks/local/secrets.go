package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"flowctl/tasks"
)

const secretsFile = "secrets.json"

// deliverSecrets puts the secrets that an attempt may read where its process
// looks for them, readable by its user alone.
func (o *Options) deliverSecrets(ctx context.Context, a tasks.Attempt) error {
	if o.Secrets == nil {
		return nil
	}
	secrets, err := o.Secrets(ctx, a)
	if err != nil || len(secrets) == 0 {
		return err
	}
	raw, err := json.Marshal(secrets)
	if err != nil {
		return fmt.Errorf("deliver secrets: %w", err)
	}
	if err := os.WriteFile(filepath.Join(a.Dir, secretsFile), raw, 0o600); err != nil {
		return fmt.Errorf("deliver secrets: %w", err)
	}
	return nil
}

// withdrawSecrets removes them when the attempt has ended, or is not begun: a
// notebook that restarts Python reads them again until then. Another engine
// may have delivered them, so this does not ask whether we would.
func withdrawSecrets(a tasks.Attempt) error {
	if err := os.Remove(filepath.Join(a.Dir, secretsFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("withdraw secrets: %w", err)
	}
	return nil
}
