-- The subject catalogue all schools share, in every environment: Colombian basic and secondary education.
-- Running it again writes only what differs; is_active is left as an operator has set it.

insert into academic.subjects (id, name, code, description, grade_level) values
    ('00000009-0000-4000-8000-000000000101', 'Matemáticas', 'PRI-MAT', 'Números, operaciones, medidas y figuras', 'elementary'),
    ('00000009-0000-4000-8000-000000000102', 'Lengua Castellana', 'PRI-LEN', 'Lectura, escritura y expresión oral', 'elementary'),
    ('00000009-0000-4000-8000-000000000103', 'Ciencias Naturales', 'PRI-CNA', 'Seres vivos, materia y entorno', 'elementary'),
    ('00000009-0000-4000-8000-000000000104', 'Ciencias Sociales', 'PRI-CSO', 'Comunidad, territorio e historia', 'elementary'),
    ('00000009-0000-4000-8000-000000000105', 'Inglés', 'PRI-ING', 'Vocabulario y expresiones de cada día', 'elementary'),
    ('00000009-0000-4000-8000-000000000106', 'Educación Artística', 'PRI-ART', 'Dibujo, música y movimiento', 'elementary'),
    ('00000009-0000-4000-8000-000000000107', 'Educación Física', 'PRI-EFI', 'Juego, coordinación y salud', 'elementary'),
    ('00000009-0000-4000-8000-000000000201', 'Matemáticas', 'SEC-MAT', 'Enteros, fracciones, proporciones, álgebra y geometría', 'middle'),
    ('00000009-0000-4000-8000-000000000202', 'Lengua Castellana', 'SEC-LEN', 'Comprensión de textos, gramática y redacción', 'middle'),
    ('00000009-0000-4000-8000-000000000203', 'Ciencias Naturales', 'SEC-CNA', 'Célula, ecosistemas, materia y energía', 'middle'),
    ('00000009-0000-4000-8000-000000000204', 'Ciencias Sociales', 'SEC-CSO', 'Historia, geografía y ciudadanía', 'middle'),
    ('00000009-0000-4000-8000-000000000205', 'Inglés', 'SEC-ING', 'Comprensión y expresión, niveles A2 y B1', 'middle'),
    ('00000009-0000-4000-8000-000000000206', 'Tecnología e Informática', 'SEC-TIC', 'Herramientas digitales y pensamiento computacional', 'middle'),
    ('00000009-0000-4000-8000-000000000207', 'Ética y Valores', 'SEC-ETI', 'Convivencia y toma de decisiones', 'middle'),
    ('00000009-0000-4000-8000-000000000301', 'Matemáticas', 'MED-MAT', 'Funciones, trigonometría, cálculo y estadística', 'high'),
    ('00000009-0000-4000-8000-000000000302', 'Física', 'MED-FIS', 'Mecánica, ondas, electricidad y termodinámica', 'high'),
    ('00000009-0000-4000-8000-000000000303', 'Química', 'MED-QUI', 'Enlaces, reacciones y química orgánica', 'high'),
    ('00000009-0000-4000-8000-000000000304', 'Biología', 'MED-BIO', 'Genética, evolución y fisiología', 'high'),
    ('00000009-0000-4000-8000-000000000305', 'Lengua Castellana', 'MED-LEN', 'Literatura, argumentación y ensayo', 'high'),
    ('00000009-0000-4000-8000-000000000306', 'Filosofía', 'MED-FIL', 'Preguntas, lógica y corrientes de pensamiento', 'high'),
    ('00000009-0000-4000-8000-000000000307', 'Ciencias Económicas y Políticas', 'MED-ECO', 'Economía, Estado y ciudadanía', 'high'),
    ('00000009-0000-4000-8000-000000000308', 'Inglés', 'MED-ING', 'Comprensión y expresión, nivel B1 y superiores', 'high')
on conflict (code) where organization_id is null do update
    set name = excluded.name, description = excluded.description, grade_level = excluded.grade_level
    where (subjects.name, subjects.description, subjects.grade_level)
        is distinct from (excluded.name, excluded.description, excluded.grade_level);
