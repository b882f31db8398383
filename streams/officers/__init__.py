"""Offices and officers: charge, ids, presence, conduct, the action ladder, and the officers' own support desk."""
