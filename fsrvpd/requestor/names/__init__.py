"""UNC names of shares: from what people write to one root for each share, and which names that come
from a server may be contacted."""
