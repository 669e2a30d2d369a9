package workspace

// Settings are the workspace's configuration as clients read and write it:
// names and texts. They are kept for those who ask; nothing here obeys them.
type Settings struct{ rec records }

const (
	maxSettings = 200
	maxSetting  = 4 << 10
)

// Get reads the settings of the names given. One that was never set is empty.
func (s *Settings) Get(names []string) (map[string]string, error) {
	values := map[string]string{}
	if len(names) > maxSettings {
		return nil, refuse(InvalidParameter, "At most %d settings can be read at once.", maxSettings)
	}
	err := s.rec.view(func(t tx) error {
		for _, name := range names {
			v, err := t.get(bucketSettings, name)
			if err != nil {
				return err
			}
			values[name] = string(v)
		}
		return nil
	})
	return values, err
}

// Set writes settings. Only admins may.
func (s *Settings) Set(who Identity, values map[string]string) error {
	return s.rec.update(func(t tx) error {
		if err := t.requireAdmin(who, "change the workspace's configuration"); err != nil {
			return err
		}
		for name, v := range values {
			if name == "" || len(name)+len(v) > maxSetting {
				return refuse(InvalidParameter, "Setting %.40q must have a name, and at most %d bytes.", name, maxSetting)
			}
			if err := t.put(bucketSettings, name, []byte(v)); err != nil {
				return err
			}
		}
		return t.belowLimit(bucketSettings, "", maxSettings+1, "The workspace has %d settings, and cannot have more.")
	})
}
