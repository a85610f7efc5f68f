"""The customer's page, made of plain Streamlit calls. `runyard.show` is its front door."""
