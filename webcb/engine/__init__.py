"""What happens next in a callback. `callback` decides (pure), `runner` does it; `transport`, `media` and `journal` are its hands."""
